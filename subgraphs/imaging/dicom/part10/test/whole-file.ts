import type { Readable } from 'node:stream';
import { inflateRawSync } from 'node:zlib';
import { Bytes, DamagedFile } from '../bytes.ts';
import { deflatedFrom, readFile, type DicomFile } from '../file.ts';
import { rewrite, written } from '../transcode.ts';

/** Reads and transcodes files in memory, for tests. The server reads them from disk. */

/** @throws DamagedFile */
export function readWhole(file: Buffer): DicomFile | undefined {
  const bytes = new Bytes(file);
  const start = deflatedFrom(bytes);
  return readFile(bytes, start === undefined ? {} : { inflated: new Bytes(inflated(file.subarray(start))) });
}

export function transcoded(file: DicomFile, transferSyntax: string): Readable {
  const read = async (offset: number, length: number) => file.bytes.slice(offset, length);
  return written(rewrite(file, transferSyntax), transferSyntax, read);
}

function inflated(deflated: Buffer): Buffer {
  try {
    return inflateRawSync(deflated);
  } catch (cause) {
    throw new DamagedFile('The deflated data set cannot be inflated.', { cause });
  }
}
