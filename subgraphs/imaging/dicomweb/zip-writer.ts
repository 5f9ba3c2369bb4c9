import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { chunksOf } from '../multipart/chunks.ts';
import { WrittenBody } from '../multipart/written-body.ts';

/** Writes a ZIP file (APPNOTE 6.3.9) as a stream. Entries are stored, because images hardly shrink. */

export interface ZipEntry {
  /** ASCII. */
  name: string;
  body: Readable;
}

/** A written entry, for the directory at the end. */
interface Written {
  name: Buffer;
  crc: number;
  size: number;
  offset: number;
}

const STORED_WITH_DESCRIPTOR = 0x0008;
const VERSION = 45; // 4.5 supports ZIP64
const MAX_32 = 0xffff_ffff;
/** 1980-01-01: the file does not state when an image was made. */
const DATE = 0x0021;

/** Writes entries as a ZIP file. Each entry is opened when the one before is written. Beyond 4 GiB it is ZIP64. */
export function writeZip(entries: AsyncIterable<ZipEntry>): Readable {
  return new WrittenBody(chunks(entries));
}

async function* chunks(entries: AsyncIterable<ZipEntry>): AsyncGenerator<Buffer> {
  const written: Written[] = [];
  let offset = 0;
  // Each descriptor is sent with the header that follows it.
  let descriptor: Buffer = Buffer.alloc(0);
  for await (const { name, body } of entries) {
    const entry: Written = { name: Buffer.from(name, 'latin1'), crc: 0, size: 0, offset };
    const header = localHeader(entry.name);
    yield Buffer.concat([descriptor, header]);
    for await (const chunk of chunksOf(body)) {
      entry.crc = crc32(chunk, entry.crc);
      entry.size += chunk.length;
      yield chunk;
    }
    // A data descriptor without ZIP64 holds 32 bits; no DICOM object is that large.
    if (entry.size >= MAX_32) throw new Error('An entry of an archive is larger than 4 GiB.');
    descriptor = fields([4, 0x08074b50], [4, entry.crc], [4, entry.size], [4, entry.size]);
    offset += header.length + entry.size + descriptor.length;
    written.push(entry);
  }
  const directory = Buffer.concat(written.map(directoryEntry));
  yield descriptor;
  yield directory;
  yield endOfDirectory(written.length, directory.length, offset);
}

function localHeader(name: Buffer): Buffer {
  return Buffer.concat([
    fields([4, 0x04034b50], [2, VERSION], [2, STORED_WITH_DESCRIPTOR], [2, 0], [2, 0], [2, DATE]),
    fields([4, 0], [4, 0], [4, 0], [2, name.length], [2, 0]),
    name,
  ]);
}

function directoryEntry({ name, crc, size, offset }: Written): Buffer {
  const far = offset >= MAX_32;
  const extra = far ? fields([2, 0x0001], [2, 8], [8, offset]) : Buffer.alloc(0);
  return Buffer.concat([
    fields(
      [4, 0x02014b50],
      [2, VERSION],
      [2, VERSION],
      [2, STORED_WITH_DESCRIPTOR],
      [2, 0],
      [2, 0],
      [2, DATE],
    ),
    fields([4, crc], [4, size], [4, size], [2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0]),
    fields([4, 0], [4, far ? MAX_32 : offset]),
    name,
    extra,
  ]);
}

function endOfDirectory(count: number, size: number, offset: number): Buffer {
  const zip64 = [
    fields([4, 0x06064b50], [8, 44], [2, VERSION], [2, VERSION], [4, 0], [4, 0]),
    fields([8, count], [8, count], [8, size], [8, offset]),
    fields([4, 0x07064b50], [4, 0], [8, offset + size], [4, 1]),
  ];
  const few = Math.min(count, 0xffff);
  return Buffer.concat([
    ...(offset >= MAX_32 || count >= 0xffff ? zip64 : []),
    fields(
      [4, 0x06054b50],
      [2, 0],
      [2, 0],
      [2, few],
      [2, few],
      [4, size],
      [4, Math.min(offset, MAX_32)],
      [2, 0],
    ),
  ]);
}

/** Encodes little endian numbers of 2, 4 or 8 bytes. */
function fields(...numbers: readonly (readonly [bytes: 2 | 4 | 8, value: number])[]): Buffer {
  const buffer = Buffer.alloc(numbers.reduce((sum, [bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [bytes, value] of numbers) {
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value), at);
    else buffer.writeUIntLE(value, at, bytes);
    at += bytes;
  }
  return buffer;
}
