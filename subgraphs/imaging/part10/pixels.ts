import type { PixelDescription } from '../pixels/frame.ts';
import { DamagedFile, type Bytes } from './bytes.ts';
import type { Element, Encoding, Fragment } from './dataset.ts';
import type { DicomFile } from './file.ts';
import { binaryNumbers, swap } from './values.ts';

/** Where the frames of an object lie. */
export type PixelLayout = NativeLayout | EncapsulatedLayout;

/** Uncompressed pixels, PS3.5 §8.1.1: frames follow each other without a gap, to the bit. */
export interface NativeLayout {
  kind: 'native';
  frames: number;
  /** Where the value starts, and its bytes. */
  offset: number;
  length: number;
  /** Not a multiple of eight where BitsAllocated is 1 and the frame's pixels fill no whole byte. */
  bitsPerFrame: number;
  /** Bytes of the words that are to be turned into little endian; 1 for none. */
  swapUnit: number;
}

/** Encapsulated pixels, PS3.5 §A.4: the fragments of each frame. */
export interface EncapsulatedLayout {
  kind: 'encapsulated';
  frames: Fragment[][];
}

/**
 * Where the frames of a file's pixel data lie.
 * @throws DamagedFile where they cannot be told apart or are cut short
 */
export function pixelLayout(file: DicomFile, element: Element, pixels: PixelDescription): PixelLayout {
  if (!element.fragments) return nativeLayout(element, file.encoding, pixels);
  return encapsulatedLayout(file.bytes, element, pixels.numberOfFrames, extendedOffsets(file));
}

/** Extended Offset Table, PS3.3 §C.7.6.3.1.8. */
function extendedOffsets({ bytes, elements }: DicomFile): number[] | undefined {
  const table = elements.find(({ tag }) => tag === '7FE00001');
  return table && binaryNumbers('UV', bytes.slice(table.offset, table.length), true).map(Number);
}

/** @throws DamagedFile where the value is too short for its frames */
function nativeLayout(element: Element, encoding: Encoding, pixels: PixelDescription): NativeLayout {
  const { rows, columns, samplesPerPixel, bitsAllocated: bits, numberOfFrames: frames } = pixels;
  const full = rows * columns * samplesPerPixel * bits;
  // PS3.3 §C.7.6.3.1.2: two pixels of YBR_FULL_422 share their chroma; some writers say so and store all three.
  const shared = pixels.photometricInterpretation === 'YBR_FULL_422' && element.length * 8 < full * frames;
  const bitsPerFrame = shared ? rows * columns * 2 * bits : full;
  if (bitsPerFrame * frames > element.length * 8)
    throw new DamagedFile('Pixel data are shorter than their frames.');
  const unit = { OW: 2, OL: 4, OF: 4, OD: 8, OV: 8 }[element.vr] ?? 1;
  const swapUnit = encoding.littleEndian ? 1 : unit;
  return { kind: 'native', frames, offset: element.offset, length: element.length, bitsPerFrame, swapUnit };
}

/**
 * Fragments sorted into frames, PS3.5 §A.4: by Extended Offset Table, by Basic Offset Table, one each, or by the marks
 * that start and end a JPEG or JPEG 2000 stream.
 * @param bytes the file
 * @param extended values of (7FE0,0001), where there are any
 * @throws DamagedFile where the frames cannot be told apart
 */
function encapsulatedLayout(
  bytes: Bytes,
  element: Element,
  frames: number,
  extended?: readonly number[],
): EncapsulatedLayout {
  const [table, ...fragments] = element.fragments ?? [];
  if (!table) throw new DamagedFile('Encapsulated pixel data have no offset table.');
  const basic = (): number[] => {
    const value = bytes.slice(table.offset, table.length - (table.length % 4));
    return Array.from({ length: value.length / 4 }, (_, i) => value.readUInt32LE(4 * i));
  };
  const sorted =
    (frames === 1 && fragments.length > 0 ? [fragments] : undefined) ??
    byOffsets(fragments, frames, extended ?? []) ??
    byOffsets(fragments, frames, basic()) ??
    (fragments.length === frames ? fragments.map((fragment) => [fragment]) : undefined) ??
    byMarkers(bytes, fragments, frames);
  if (!sorted) throw new DamagedFile('The frames of the compressed pixel data cannot be told apart.');
  return { kind: 'encapsulated', frames: sorted };
}

/** Offsets count from the item of the first fragment. Undefined where one points to no fragment. */
function byOffsets(
  fragments: readonly Fragment[],
  frames: number,
  offsets: readonly number[],
): Fragment[][] | undefined {
  if (offsets.length !== frames || fragments.length === 0) return undefined;
  const base = fragments[0]!.offset;
  const starts = new Map(fragments.map((fragment, i) => [fragment.offset - base, i]));
  const first = offsets.map((offset) => starts.get(offset));
  if (first[0] !== 0 || first.some((start, i) => start === undefined || (i > 0 && start <= first[i - 1]!))) {
    return undefined;
  }
  return first.map((start, i) => fragments.slice(start, first[i + 1] ?? fragments.length));
}

/** Fragments whose bytes are read to tell frames apart. */
const MAX_LOOKED_AT = 100_000;

/**
 * A frame starts where a fragment starts with SOI or SOC, right after one that ended with EOI or EOC: so a fragment that
 * starts like a picture by chance is none. Some devices leave EOI out; then the start alone must give the right number.
 */
function byMarkers(bytes: Bytes, fragments: readonly Fragment[], frames: number): Fragment[][] | undefined {
  if (fragments.length > MAX_LOOKED_AT)
    throw new DamagedFile(`More than ${MAX_LOOKED_AT} fragments of pixel data have no offset table.`);
  const starts = fragments.map(({ offset, length }) => {
    const head = length < 4 ? 0 : bytes.slice(offset, 2).readUInt16BE();
    return head === 0xffd8 || head === 0xff4f;
  });
  const ends = fragments.map(({ offset, length }, i) => {
    // Only what comes before a start is asked about.
    return (
      starts[i + 1] &&
      length >= 4 &&
      /ffd9(00|ff)?$/.test(bytes.slice(offset + length - 4, 4).toString('hex'))
    );
  });
  const sort = (isFirst: (i: number) => boolean): Fragment[][] | undefined => {
    const sorted: Fragment[][] = [];
    fragments.forEach((fragment, i) =>
      isFirst(i) ? sorted.push([fragment]) : sorted.at(-1)?.push(fragment),
    );
    return starts[0] && sorted.length === frames ? sorted : undefined;
  };
  return sort((i) => starts[i]! && (i === 0 || !!ends[i - 1])) ?? sort((i) => starts[i]!);
}

/** Bytes of the file, from an offset. */
export type Read = (offset: number, length: number) => Promise<Buffer>;

/**
 * One frame: native pixels in little endian, or the fragments of a compressed one, joined.
 * @param number from 1, within range
 */
export async function readFrame(layout: PixelLayout, number: number, read: Read): Promise<Buffer> {
  if (layout.kind === 'native') return nativeFrame(layout, number, read);
  const fragments = layout.frames[number - 1]!;
  const { offset: start } = fragments[0]!;
  const last = fragments.at(-1)!;
  // In one piece, with the heads of the items between them, which are then closed up: some encoders cut every few bytes.
  const piece = await read(start, last.offset + last.length - start);
  if (fragments.length === 1) return piece;
  let end = 0;
  for (const { offset, length } of fragments) {
    piece.copyWithin(end, offset - start, offset - start + length);
    end += length;
  }
  return piece.subarray(0, end);
}

async function nativeFrame(layout: NativeLayout, number: number, read: Read): Promise<Buffer> {
  const { offset, length, bitsPerFrame, swapUnit } = layout;
  const startBit = (number - 1) * bitsPerFrame;
  const endBit = startBit + bitsPerFrame;
  // Whole words, so that they can be turned; of an odd frame of bytes the neighbours come along and are cut off.
  const start = Math.floor(startBit / 8 / swapUnit) * swapUnit;
  const end = Math.min(length, Math.ceil(endBit / 8 / swapUnit) * swapUnit);
  const words = swap(await read(offset + start, end - start), swapUnit);
  const first = startBit - start * 8;
  if (bitsPerFrame % 8 !== 0) return repack(words, first, bitsPerFrame);
  const bytes = bitsPerFrame / 8;
  // The buffer itself where it is the frame: it may be one that is given back.
  return words.length === bytes ? words : words.subarray(first / 8, first / 8 + bytes);
}

/** Bits from `start` on, moved to the start of a byte: a frame of one bit a pixel that begins within one. */
function repack(bytes: Buffer, start: number, bits: number): Buffer {
  const frame = Buffer.alloc(Math.ceil(bits / 8));
  const shift = start % 8;
  const first = Math.floor(start / 8);
  for (let i = 0; i < frame.length; i++) {
    const low = bytes[first + i]! >> shift;
    const high = shift === 0 ? 0 : ((bytes[first + i + 1] ?? 0) << (8 - shift)) & 0xff;
    frame[i] = low | high;
  }
  // The bits after the last pixel belong to the next frame.
  const rest = bits % 8;
  if (rest > 0) frame[frame.length - 1]! &= (1 << rest) - 1;
  return frame;
}
