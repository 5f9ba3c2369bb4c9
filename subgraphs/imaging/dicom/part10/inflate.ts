import { read, write } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createInflateRaw } from 'node:zlib';
import { DamagedFile } from './bytes.ts';

/** Bytes of an inflated data set. Larger ones are refused, because a few kilobytes can inflate to gigabytes. */
const MAX_INFLATED = 256 * 1024 * 1024;
/** Bytes of a chunk: large enough to be worth the transfer to another thread. */
const CHUNK = 256 * 1024;

const readAt = promisify(read);
const writeAt = promisify(write);

/** A file that is open for reading. */
export interface OpenFile {
  fd: number;
  size: number;
}

/**
 * Inflates the data set of an open file (PS3.5 §A.5) into another file, because many at once could fill the memory.
 * @param start offset of the data set
 * @param to descriptor of the file to write
 * @returns the number of bytes
 * @throws DamagedFile when it cannot be inflated or is larger than 256 MB; errors of the file system
 */
export async function inflate(deflated: OpenFile, start: number, to: number): Promise<number> {
  let size = 0;
  try {
    for await (const chunk of inflated(deflated, start)) {
      if (size + chunk.length > MAX_INFLATED)
        throw new DamagedFile(`The deflated data set has more than ${MAX_INFLATED / 2 ** 20} MB.`);
      // Awaited one after another, so that no write is pending when the file is closed.
      for (let done = 0; done < chunk.length;) {
        const { bytesWritten } = await writeAt(to, chunk, done, chunk.length - done, size + done);
        done += bytesWritten;
      }
      size += chunk.length;
    }
    return size;
  } catch (error) {
    if (!String((error as NodeJS.ErrnoException).code).startsWith('Z_')) throw error;
    throw new DamagedFile('The deflated data set cannot be inflated.', { cause: error });
  }
}

function inflated(deflated: OpenFile, start: number): AsyncIterable<Buffer> {
  const chunks = Readable.from(chunksFrom(deflated, start));
  return pipeline(chunks, createInflateRaw({ chunkSize: CHUNK }), () => undefined);
}

async function* chunksFrom({ fd, size }: OpenFile, start: number): AsyncGenerator<Buffer> {
  for (let at = start; at < size;) {
    const { bytesRead, buffer } = await readAt(fd, Buffer.allocUnsafe(CHUNK), 0, CHUNK, at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}
