import { createDeflateRaw } from 'node:zlib';
import { Readable } from 'node:stream';
import { Tag, TransferSyntax } from '../../../schema/dicom.ts';
import { isUsOrSs } from '../../../schema/dictionary.ts';
import { DamagedFile, type Bytes } from './bytes.ts';
import { hasLongLength, isPixelData, type Element, type Encoding } from './dataset.ts';
import { metaUid, type DicomFile } from './file.ts';
import { swap, UNIT } from './values.ts';

/** The transfer syntaxes that hold the same values uncompressed, PS3.5 §A.1, A.2, A.5. */
const ENCODINGS: Record<string, Encoding> = {
  [TransferSyntax.ImplicitVRLittleEndian]: { explicitVr: false, littleEndian: true },
  [TransferSyntax.ExplicitVRLittleEndian]: { explicitVr: true, littleEndian: true },
  [TransferSyntax.DeflatedExplicitVRLittleEndian]: { explicitVr: true, littleEndian: true },
  [TransferSyntax.ExplicitVRBigEndian]: { explicitVr: true, littleEndian: false },
};

/** Bytes of a value that are read and turned at a time; a multiple of every unit. */
const PIECE = 1 << 20;

/** Whether a file in the one can be rewritten in the other without touching a compressed stream. */
export function canTranscode(from: string, to: string): boolean {
  return Object.hasOwn(ENCODINGS, from) && Object.hasOwn(ENCODINGS, to);
}

/** What becomes another on the way; all bytes in little endian, as is what they are written to. */
export interface Changes {
  /** Values of the outermost level by tag; undefined leaves the element out. */
  values: ReadonlyMap<string, { vr: string; value: Buffer } | undefined>;
  pixels: WrittenPixels;
}

/** Pixel Data (7FE0,0010) to be written: of a length that is known, or compressed, a fragment for each frame. */
export interface WrittenPixels {
  vr: 'OB' | 'OW';
  /** Bytes of all frames, where they are native. */
  length?: number;
  frames: AsyncIterable<Uint8Array>;
}

/**
 * The file rewritten in another transfer syntax: a new file meta information (PS3.10 §7.1), then the data set, element
 * by element. Sequences and items get undefined lengths, group lengths are dropped (PS3.5 §7.2, §7.5).
 * @param file read to its end
 * @param transferSyntax an uncompressed one, or that of the pixels in `changes`
 */
export function transcode(file: DicomFile, transferSyntax: string, changes?: Changes): Readable {
  const to = ENCODINGS[transferSyntax] ?? ENCODINGS[TransferSyntax.ExplicitVRLittleEndian]!;
  const elements = changes
    ? writeChanged(file, to, changes)
    : writeElements(file.bytes, file.elements, file.encoding, to, false);
  // Pieces are up to 1 MiB, or a frame: two of them wait at most.
  const dataset = Readable.from(elements, { highWaterMark: 2 });
  if (transferSyntax !== TransferSyntax.DeflatedExplicitVRLittleEndian) {
    return Readable.from(concatenate(writeMeta(file, transferSyntax), dataset), { objectMode: false });
  }
  const deflate = createDeflateRaw();
  dataset.on('error', (error) => deflate.destroy(error)).pipe(deflate);
  const result = Readable.from(concatenate(writeMeta(file, transferSyntax), deflate), { objectMode: false });
  return result.on('close', () => dataset.destroy());
}

async function* concatenate(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

async function* writeChanged(
  file: DicomFile,
  to: Encoding,
  { values, pixels }: Changes,
): AsyncGenerator<Uint8Array> {
  const kept = file.elements.filter(({ tag }) => !values.has(tag) && !isPixelData(tag));
  const put = [...values].flatMap(([tag, change]) =>
    change ? [{ tag, vr: change.vr, offset: 0, length: change.value.length, value: change.value }] : [],
  );
  const elements = [...kept, ...put].sort((a, b) => (a.tag < b.tag ? -1 : 1));
  const pixelData = elements.findIndex(({ tag }) => tag > Tag.PixelData);
  const before = pixelData < 0 ? elements : elements.slice(0, pixelData);
  yield* writeElements(file.bytes, before, file.encoding, to, false);
  yield* pixels.length === undefined ? writeFragments(pixels, to) : writeNative(pixels, pixels.length, to);
  yield* writeElements(file.bytes, elements.slice(before.length), file.encoding, to, false);
}

async function* writeNative(
  { vr, frames }: WrittenPixels,
  length: number,
  to: Encoding,
): AsyncGenerator<Uint8Array> {
  yield header(Tag.PixelData, vr, length + (length % 2), to);
  let written = 0;
  for await (const frame of frames) {
    written += frame.length;
    yield frame;
  }
  if (written !== length) throw new DamagedFile('The frames have another length than the header promises.');
  if (length % 2) yield Buffer.alloc(1);
}

/** PS3.5 §A.4: an empty Basic Offset Table, then each frame in one fragment. */
async function* writeFragments({ vr, frames }: WrittenPixels, to: Encoding): AsyncGenerator<Uint8Array> {
  yield header(Tag.PixelData, vr, 0xffffffff, to);
  yield delimiter(0xe000, 0, to);
  for await (const frame of frames) {
    yield delimiter(0xe000, frame.length + (frame.length % 2), to);
    yield frame;
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
  // Files without meta information name class and instance in the data set only.
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

/** Ours, derived from a UUID as PS3.5 §B.2 has it. */
const IMPLEMENTATION_CLASS_UID = '2.25.209173825390316437229146417593920215761';

function padded(uid: string): Buffer {
  return Buffer.from(uid.length % 2 ? `${uid}\0` : uid, 'latin1');
}

function* writeElements(
  bytes: Bytes,
  elements: readonly (Element & { value?: Buffer })[],
  from: Encoding,
  to: Encoding,
  outerSigned: boolean,
): Generator<Buffer> {
  const signed = pixelRepresentation(bytes, elements, from) ?? outerSigned;
  for (const element of elements) {
    if (element.tag.endsWith('0000')) continue;
    const vr = element.value ? element.vr : writtenVr(element, from, to, signed);
    if (element.value) {
      yield Buffer.concat([header(element.tag, vr, element.length, to), element.value]);
      continue;
    }
    if (vr === 'SQ') {
      yield header(element.tag, 'SQ', 0xffffffff, to);
      for (const item of element.items ?? []) {
        yield delimiter(0xe000, 0xffffffff, to);
        yield* writeElements(bytes, item.elements, item.encoding, to, signed);
        yield delimiter(0xe00d, 0, to);
      }
      yield delimiter(0xe0dd, 0, to);
      continue;
    }
    if (element.fragments) {
      // A compressed icon within: its fragments stay as they are, which only the same byte order allows.
      if (!from.littleEndian || !to.littleEndian)
        throw new DamagedFile('A compressed icon cannot be rewritten.');
      yield header(element.tag, vr, 0xffffffff, to);
      yield bytes.slice(element.offset, element.length);
      continue;
    }
    const odd = element.length % 2;
    yield header(element.tag, vr, element.length + odd, to);
    const unit = from.littleEndian === to.littleEndian ? 1 : (UNIT[vr] ?? 1);
    for (let done = 0; done < element.length; done += PIECE) {
      const piece = bytes.slice(element.offset + done, Math.min(PIECE, element.length - done));
      yield swap(piece, unit);
    }
    // PS3.5 §7.1.1: values have even length; some writers forget.
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
  uint(buffer, 0, 2, parseInt(tag.slice(0, 4), 16), littleEndian);
  uint(buffer, 2, 2, parseInt(tag.slice(4), 16), littleEndian);
  if (explicitVr) buffer.write(vr, 4, 'latin1');
  if (long) uint(buffer, 8, 4, length, littleEndian);
  else if (explicitVr) uint(buffer, 6, 2, length, littleEndian);
  else uint(buffer, 4, 4, length, littleEndian);
  return buffer;
}

function delimiter(element: number, length: number, { littleEndian }: Encoding): Buffer {
  const buffer = Buffer.alloc(8);
  uint(buffer, 0, 2, 0xfffe, littleEndian);
  uint(buffer, 2, 2, element, littleEndian);
  uint(buffer, 4, 4, length, littleEndian);
  return buffer;
}

function uint(buffer: Buffer, at: number, size: number, value: number, littleEndian: boolean): void {
  if (littleEndian) buffer.writeUIntLE(value, at, size);
  else buffer.writeUIntBE(value, at, size);
}
