import { createDeflateRaw } from 'node:zlib';
import { Readable } from 'node:stream';
import { Tag, TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { isUsOrSs } from '../../../../schema/dicom/dictionary.ts';
import { PIECE, piecesOf, type FrameBytes } from '../../multipart/frame-bytes.ts';
import { DamagedFile, type Bytes } from './bytes.ts';
import { hasLongLength, isPixelData, type Element, type Encoding } from './dataset.ts';
import { metaUid, type DicomFile } from './file.ts';
import type { Read } from './pixels.ts';
import { swap, UNIT } from './values.ts';

/** Uncompressed transfer syntaxes, PS3.5 §A.1, A.2, A.5. */
const ENCODINGS: Record<string, Encoding> = {
  [TransferSyntax.ImplicitVRLittleEndian]: { explicitVr: false, littleEndian: true },
  [TransferSyntax.ExplicitVRLittleEndian]: { explicitVr: true, littleEndian: true },
  [TransferSyntax.DeflatedExplicitVRLittleEndian]: { explicitVr: true, littleEndian: true },
  [TransferSyntax.ExplicitVRBigEndian]: { explicitVr: true, littleEndian: false },
};

/** Bytes of a value, and of all values of an object, that are written at once. Others are read when they are sent. */
const MAX_WRITTEN_VALUE = 64 * 1024;
const MAX_WRITTEN = 16 * 1024 * 1024;

/** Tells whether a file can be rewritten in another transfer syntax without decoding or encoding pixels. */
export function canTranscode(from: string, to: string): boolean {
  return Object.hasOwn(ENCODINGS, from) && Object.hasOwn(ENCODINGS, to);
}

/** New values of the outermost level by tag, in little endian; undefined removes the element. */
export type ChangedValues = ReadonlyMap<string, { vr: string; value: Buffer } | undefined>;

/** Pixel Data (7FE0,0010) to write: native with a known length, or compressed with one fragment for each frame. */
export interface WrittenPixels {
  vr: 'OB' | 'OW';
  /** Bytes of all frames, if they are native. */
  length?: number;
  frames: AsyncIterable<FrameBytes>;
}

/** Part of a data set to write: bytes, and between them values that are still in the file. */
export interface Pieces {
  bytes: Uint8Array;
  /** Four numbers for each value: the number of `bytes` before it, its offset, its length, the unit of swapping. */
  values: Float64Array;
}

/** A file in another transfer syntax, without its large values, which are read while it is sent. */
export interface Rewritten {
  /** Preamble and File Meta Information, PS3.10 §7.1. */
  meta: Uint8Array;
  /** The data set; up to the pixels if they are replaced. */
  before: Pieces;
  /** The data set after replaced pixels. */
  after?: Pieces;
}

/**
 * Rewrites a file in another transfer syntax: new file meta information (PS3.10 §7.1), then the data set, element by
 * element. Sequences and items get undefined lengths, group lengths are removed (PS3.5 §7.2, §7.5).
 * @param file read to its end
 * @param transferSyntax an uncompressed one, or that of replaced pixels
 * @param changes other changed values, if pixels are replaced
 * @throws DamagedFile for an icon that cannot be rewritten
 */
export function rewrite(file: DicomFile, transferSyntax: string, changes?: ChangedValues): Rewritten {
  const to = encodingOf(transferSyntax);
  const meta = writeMeta(file, transferSyntax);
  if (!changes) return { meta, before: headerPieces(file, file.elements, to) };
  const kept = file.elements.filter(({ tag }) => !changes.has(tag) && !isPixelData(tag));
  const put = [...changes].flatMap(([tag, change]) =>
    change ? [{ tag, vr: change.vr, offset: 0, length: change.value.length, value: change.value }] : [],
  );
  const elements = [...kept, ...put].sort((a, b) => (a.tag < b.tag ? -1 : 1));
  const pixelData = elements.findIndex(({ tag }) => tag > Tag.PixelData);
  const before = pixelData < 0 ? elements : elements.slice(0, pixelData);
  return {
    meta,
    before: headerPieces(file, before, to),
    after: headerPieces(file, elements.slice(before.length), to),
  };
}

/**
 * Writes a rewritten file.
 * @param read reads bytes of the original file, which must stay open until the stream closes
 * @param pixels replaced pixels
 */
export function written(
  { meta, before, after }: Rewritten,
  transferSyntax: string,
  read: Read,
  pixels?: WrittenPixels,
): Readable {
  const to = encodingOf(transferSyntax);
  async function* elements(): AsyncGenerator<Uint8Array> {
    yield* writePieces(before, read);
    if (pixels)
      yield* pixels.length === undefined
        ? writeFragments(pixels, to)
        : writeNative(pixels, pixels.length, to);
    if (after) yield* writePieces(after, read);
  }
  // At most two pieces wait. A piece has up to 256 KiB, or is a frame.
  const dataset = Readable.from(elements(), { highWaterMark: 2 });
  if (transferSyntax !== TransferSyntax.DeflatedExplicitVRLittleEndian) {
    return Readable.from(concatenate(meta, dataset), { objectMode: false });
  }
  const deflate = createDeflateRaw();
  dataset.on('error', (error) => deflate.destroy(error)).pipe(deflate);
  const result = Readable.from(concatenate(meta, deflate), { objectMode: false });
  return result.on('close', () => dataset.destroy());
}

/** Returns the encoding of a transfer syntax. Compressed ones are Explicit VR Little Endian, PS3.5 §A.4. */
function encodingOf(transferSyntax: string): Encoding {
  return ENCODINGS[transferSyntax] ?? ENCODINGS[TransferSyntax.ExplicitVRLittleEndian]!;
}

async function* concatenate(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

async function* writePieces({ bytes, values }: Pieces, read: Read): AsyncGenerator<Uint8Array> {
  let done = 0;
  for (let i = 0; i < values.length; i += 4) {
    const [before = 0, offset = 0, length = 0, unit = 0] = values.subarray(i, i + 4);
    if (before > done) yield bytes.subarray(done, before);
    done = before;
    // `PIECE` is a multiple of every unit.
    for (let at = 0; at < length; at += PIECE)
      yield swap(await read(offset + at, Math.min(PIECE, length - at)), unit);
  }
  if (done < bytes.length) yield bytes.subarray(done);
}

async function* writeNative(
  { vr, frames }: WrittenPixels,
  length: number,
  to: Encoding,
): AsyncGenerator<Uint8Array> {
  yield header(Tag.PixelData, vr, length + (length % 2), to);
  let done = 0;
  for await (const frame of frames) {
    done += frame.length;
    yield* piecesOf(frame);
  }
  if (done !== length) throw new DamagedFile('The frames have another length than the header promises.');
  if (length % 2) yield Buffer.alloc(1);
}

/** Writes an empty Basic Offset Table, then each frame in one fragment (PS3.5 §A.4). */
async function* writeFragments({ vr, frames }: WrittenPixels, to: Encoding): AsyncGenerator<Uint8Array> {
  yield header(Tag.PixelData, vr, 0xffffffff, to);
  yield delimiter(0xe000, 0, to);
  for await (const frame of frames) {
    yield delimiter(0xe000, frame.length + (frame.length % 2), to);
    yield* piecesOf(frame);
    if (frame.length % 2) yield Buffer.alloc(1);
  }
  yield delimiter(0xe0dd, 0, to);
}

function writeMeta(file: DicomFile, transferSyntax: string): Buffer {
  const explicit: Encoding = { explicitVr: true, littleEndian: true };
  const parts: Buffer[] = [];
  const put = (tag: string, vr: string, value: Buffer): void => {
    parts.push(header(tag, vr, value.length, explicit), value);
  };
  put('00020001', 'OB', Buffer.from([0, 1]));
  // From the data set, because files without meta information name class and instance only there.
  for (const [tag, own] of [
    ['00020002', '00080016'],
    ['00020003', '00080018'],
  ] as const) {
    put(tag, 'UI', padded(metaUid(file.bytes, file.elements, own) ?? ''));
  }
  put('00020010', 'UI', padded(transferSyntax));
  put('00020012', 'UI', padded(IMPLEMENTATION_CLASS_UID));
  const group = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(group.length);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    header('00020000', 'UL', 4, explicit),
    length,
    group,
  ]);
}

/** UID of this software, derived from a UUID by PS3.5 §B.2. */
const IMPLEMENTATION_CLASS_UID = '2.25.209173825390316437229146417593920215761';

function padded(uid: string): Buffer {
  return Buffer.from(uid.length % 2 ? `${uid}\0` : uid, 'latin1');
}

/** A value that is read when it is sent. */
interface FileValue {
  offset: number;
  length: number;
  unit: number;
}

function headerPieces(
  { bytes, encoding }: DicomFile,
  elements: readonly (Element & { value?: Buffer })[],
  to: Encoding,
): Pieces {
  const written: Buffer[] = [];
  const values: number[] = [];
  let size = 0;
  for (const piece of writeElements(bytes, elements, { from: encoding, to, signed: false })) {
    const small = !Buffer.isBuffer(piece) && piece.length <= MAX_WRITTEN_VALUE && size < MAX_WRITTEN;
    if (!Buffer.isBuffer(piece) && !small) values.push(size, piece.offset, piece.length, piece.unit);
    else {
      const now = Buffer.isBuffer(piece) ? piece : swap(bytes.slice(piece.offset, piece.length), piece.unit);
      size += now.length;
      written.push(now);
    }
  }
  return { bytes: ownBytes(written, size), values: Float64Array.from(values) };
}

/** Joins parts in a new array, which can be transferred to another thread. */
function ownBytes(parts: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function* writeElements(
  bytes: Bytes,
  elements: readonly (Element & { value?: Buffer })[],
  { from, to, ...outer }: { from: Encoding; to: Encoding; signed: boolean },
): Generator<Buffer | FileValue> {
  const signed = pixelRepresentation(bytes, elements, from) ?? outer.signed;
  for (const element of elements) {
    if (element.tag.endsWith('0000')) continue;
    const vr = element.value ? element.vr : writtenVr(element, from, to, signed);
    if (element.value) {
      yield header(element.tag, vr, element.length, to);
      yield element.value;
      continue;
    }
    if (vr === 'SQ') {
      yield header(element.tag, 'SQ', 0xffffffff, to);
      for (const item of element.items ?? []) {
        yield delimiter(0xe000, 0xffffffff, to);
        yield* writeElements(bytes, item.elements, { from: item.encoding, to, signed });
        yield delimiter(0xe00d, 0, to);
      }
      yield delimiter(0xe0dd, 0, to);
      continue;
    }
    if (element.fragments) {
      // A compressed icon image: its fragments are copied, which needs the same byte order.
      if (!from.littleEndian || !to.littleEndian)
        throw new DamagedFile('A compressed icon cannot be rewritten.');
      yield header(element.tag, vr, 0xffffffff, to);
      yield { offset: element.offset, length: element.length, unit: 1 };
      continue;
    }
    const odd = element.length % 2;
    yield header(element.tag, vr, element.length + odd, to);
    const unit = from.littleEndian === to.littleEndian ? 1 : (UNIT[vr] ?? 1);
    if (element.length > 0) yield { offset: element.offset, length: element.length, unit };
    // PS3.5 §7.1.1: values have even length, but not all writers pad them.
    if (odd) yield Buffer.from([vr === 'UI' || vr.startsWith('O') || vr === 'UN' ? 0 : 0x20]);
  }
}

function pixelRepresentation(
  bytes: Bytes,
  elements: readonly Element[],
  from: Encoding,
): boolean | undefined {
  const element = elements.find(({ tag, length }) => tag === '00280103' && length === 2);
  return element && bytes.slice(element.offset, 2)[from.littleEndian ? 0 : 1] === 1;
}

function writtenVr(element: Element, from: Encoding, to: Encoding, signed: boolean): string {
  if (element.vr === 'SQ') return 'SQ';
  if (!from.explicitVr && isUsOrSs(element.tag) && signed) return 'SS';
  // PS3.5 §6.2.2: a value too long for the 16-bit length of its VR is written as UN.
  return to.explicitVr && element.length > 0xfffe && !hasLongLength(element.vr) ? 'UN' : element.vr;
}

function header(tag: string, vr: string, length: number, { explicitVr, littleEndian }: Encoding): Buffer {
  const long = explicitVr && hasLongLength(vr);
  const buffer = Buffer.alloc(long ? 12 : 8);
  uint(buffer, [0, 2], parseInt(tag.slice(0, 4), 16), littleEndian);
  uint(buffer, [2, 2], parseInt(tag.slice(4), 16), littleEndian);
  if (explicitVr) buffer.write(vr, 4, 'latin1');
  if (long) uint(buffer, [8, 4], length, littleEndian);
  else if (explicitVr) uint(buffer, [6, 2], length, littleEndian);
  else uint(buffer, [4, 4], length, littleEndian);
  return buffer;
}

function delimiter(element: number, length: number, { littleEndian }: Encoding): Buffer {
  const buffer = Buffer.alloc(8);
  uint(buffer, [0, 2], 0xfffe, littleEndian);
  uint(buffer, [2, 2], element, littleEndian);
  uint(buffer, [4, 4], length, littleEndian);
  return buffer;
}

/** Writes an unsigned number. @param at its first byte, and how many it has */
function uint(
  buffer: Buffer,
  [at, size]: readonly [at: number, size: number],
  value: number,
  littleEndian: boolean,
): void {
  if (littleEndian) buffer.writeUIntLE(value, at, size);
  else buffer.writeUIntBE(value, at, size);
}
