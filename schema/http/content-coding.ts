import { setImmediate as nextTurn } from 'node:timers/promises';
import { concatInTurns, turns } from '../process/event-loop.ts';
import { pipeline, Readable, type Transform } from 'node:stream';
import { promisify } from 'node:util';
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createBrotliDecompress,
  createGzip,
  gzip,
} from 'node:zlib';
import { takesCoding } from './accept-encoding.ts';

/** Content codings of answers (RFC 9110 §8.4.1). */

export type Coding = 'br' | 'gzip' | 'identity';

/** Supported codings, best first. */
export const CODINGS: readonly Coding[] = ['br', 'gzip', 'identity'];

/** Returns the best coding that an Accept-Encoding takes. */
export function acceptedCoding(header: string): Coding {
  return CODINGS.find((coding) => takesCoding(header, coding)) ?? 'identity';
}

const gzipAsync = promisify(gzip);
const brotliAsync = promisify(brotliCompress);

/** A higher quality takes longer than it saves in transfer time. */
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } };

/** Bytes per chunk: smaller ones are not worth the way to another thread. */
const CHUNK = 256 * 1024;

/** Compresses a body. */
export async function compressed(body: Buffer, coding: Coding): Promise<Buffer> {
  if (coding === 'br') return brotliAsync(body, QUALITY);
  return coding === 'gzip' ? gzipAsync(body) : body;
}

/** Compresses chunks as they come. It never holds the whole body, which may have hundreds of megabytes. */
export function compressedChunks(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  coding: Coding,
): AsyncIterable<Uint8Array> {
  if (coding === 'identity') return Readable.from(chunks);
  const coder = coding === 'br' ? createBrotliCompress({ ...QUALITY, chunkSize: CHUNK }) : createGzip();
  return through(gathered(chunks), coder);
}

/** Decompresses bytes of the coding `br`, chunk by chunk. */
export function decompressedChunks(bytes: Uint8Array): AsyncIterable<Buffer> {
  return through([bytes], createBrotliDecompress({ chunkSize: CHUNK }));
}

/** Reads all chunks into one buffer. */
export async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  const pause = turns();
  for await (const chunk of chunks) {
    all.push(chunk);
    const later = pause();
    if (later) await later;
  }
  return concatInTurns(all);
}

/** Pipes chunks through a coder, which fails when the chunks fail. */
function through(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, coder: Transform): Transform {
  return pipeline(Readable.from(chunks), coder, () => undefined);
}

/** Joins small chunks to chunks of at least `CHUNK` bytes. */
async function* gathered(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let together: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    together.push(chunk);
    if ((bytes += chunk.length) < CHUNK) continue;
    yield Buffer.concat(together);
    [together, bytes] = [[], 0];
    // Chunks in memory would otherwise all be joined in one turn of the event loop.
    await nextTurn();
  }
  yield Buffer.concat(together);
}
