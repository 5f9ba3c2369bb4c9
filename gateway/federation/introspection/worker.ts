import { buildSchema } from 'graphql';
import { workerData } from 'node:worker_threads';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { utf8 } from '../../../schema/process/texts.ts';
import { introspectionAnswer } from './answer.ts';

/** The JSON answer to an introspection, in each content coding that is kept. */
export interface CompressedAnswer {
  br: Uint8Array;
  gzip: Uint8Array;
}

const { sdl } = workerData as { sdl: Uint8Array };
const schema = buildSchema(utf8(sdl), { noLocation: true, assumeValid: true });

/** Answers an introspection in a worker thread. @throws Error when the query fails */
export async function run(form: string): Promise<CompressedAnswer> {
  const text = await introspectionAnswer(schema, form);
  const br = brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 7 } });
  return { br: new Uint8Array(br), gzip: new Uint8Array(gzipSync(text)) };
}
