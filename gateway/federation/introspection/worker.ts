import { buildSchema, execute, parse } from 'graphql';
import { workerData } from 'node:worker_threads';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** The JSON answer to an introspection, in each content coding that is kept. */
export interface CompressedAnswer {
  br: Uint8Array;
  gzip: Uint8Array;
}

const { sdl } = workerData as { sdl: string };
const schema = buildSchema(sdl, { noLocation: true, assumeValid: true });

/**
 * Answers an introspection in a worker thread, because the answer has several megabytes.
 * @throws Error when the query fails; a query in the usual form does not
 */
export async function run(query: string): Promise<CompressedAnswer> {
  const { data, errors } = await execute({ schema, document: parse(query, { noLocation: true }) });
  if (errors) throw new Error('An introspection failed.', { cause: errors[0] });
  const text = JSON.stringify({ data });
  const br = brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 7 } });
  return { br: new Uint8Array(br), gzip: new Uint8Array(gzipSync(text)) };
}
