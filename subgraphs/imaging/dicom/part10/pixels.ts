import { setImmediate as nextTurn } from 'node:timers/promises';
import { MOST_IN_MEMORY, PIECE, type FrameBytes } from '../../multipart/frame-bytes.ts';
import type { PixelDescription } from '../pixel-description.ts';
import { DamagedFile, type Bytes } from './bytes.ts';
import type { Element, Encoding, Fragments } from './dataset.ts';
import type { DicomFile } from './file.ts';
import { binaryNumbers, swap } from './values.ts';

/** Positions of the frames of an object. */
export type PixelLayout = NativeLayout | EncapsulatedLayout;

/** Uncompressed pixels, PS3.5 §8.1.1: frames follow each other without a gap, also within a byte. */
export interface NativeLayout {
  kind: 'native';
  frames: number;
  /** Start of the value. */
  offset: number;
  length: number;
  /** Not a multiple of eight when BitsAllocated is 1 and the pixels of a frame do not fill the last byte. */
  bitsPerFrame: number;
  /** Bytes of the words to convert to little endian; 1 for no conversion. */
  swapUnit: number;
}

/** Encapsulated pixels, PS3.5 §A.4: the fragments of each frame. */
export interface EncapsulatedLayout {
  kind: 'encapsulated';
  frames: number;
  /** In order, without the Basic Offset Table. */
  fragments: Fragments;
  /** Index of the first fragment of each frame, then the number of all fragments. */
  starts: Uint32Array;
}

/**
 * Finds the frames in the pixel data of a file.
 * @throws DamagedFile when frames cannot be separated or are incomplete
 */
export function pixelLayout(file: DicomFile, element: Element, pixels: PixelDescription): PixelLayout {
  if (!element.fragments) return nativeLayout(element, file.encoding, pixels);
  return encapsulatedLayout(file, element.fragments, pixels.numberOfFrames);
}

/** Reads the Extended Offset Table, PS3.3 §C.7.6.3.1.8; undefined when it is not for this number of frames. */
function extendedOffsets({ bytes, elements }: DicomFile, frames: number): number[] | undefined {
  const table = elements.find(({ tag }) => tag === '7FE00001');
  if (table?.length !== 8 * frames) return undefined;
  return binaryNumbers('UV', bytes.slice(table.offset, table.length), true).map(Number);
}

/** @throws DamagedFile when the value is too short for its frames */
function nativeLayout(element: Element, encoding: Encoding, pixels: PixelDescription): NativeLayout {
  const { rows, columns, samplesPerPixel, bitsAllocated: bits, numberOfFrames: frames } = pixels;
  const full = rows * columns * samplesPerPixel * bits;
  // PS3.3 §C.7.6.3.1.2: two pixels of YBR_FULL_422 share their chroma, but some writers store all samples.
  const shared = pixels.photometricInterpretation === 'YBR_FULL_422' && element.length * 8 < full * frames;
  const bitsPerFrame = shared ? rows * columns * 2 * bits : full;
  if (bitsPerFrame * frames > element.length * 8)
    throw new DamagedFile('Pixel data are shorter than their frames.');
  const unit = { OW: 2, OL: 4, OF: 4, OD: 8, OV: 8 }[element.vr] ?? 1;
  const swapUnit = encoding.littleEndian ? 1 : unit;
  return { kind: 'native', frames, offset: element.offset, length: element.length, bitsPerFrame, swapUnit };
}

/**
 * Groups fragments into frames, PS3.5 §A.4: by Extended Offset Table, by Basic Offset Table, one for each frame, or by
 * the markers at the start and end of a JPEG or JPEG 2000 stream.
 * @param table the Basic Offset Table and the fragments
 * @throws DamagedFile when frames cannot be separated
 */
function encapsulatedLayout(file: DicomFile, table: Fragments, frames: number): EncapsulatedLayout {
  if (table.lengths.length === 0) throw new DamagedFile('Encapsulated pixel data have no offset table.');
  const fragments = { offsets: table.offsets.subarray(1), lengths: table.lengths.subarray(1) };
  const count = fragments.lengths.length;
  // Each frame has at least one fragment. A table may be long, so this is checked before it is read.
  if (frames > count) throw new DamagedFile('There are fewer fragments of pixel data than frames.');
  const starts =
    (frames === 1 && count > 0 ? Uint32Array.of(0, 1) : undefined) ??
    byOffsets(fragments, extendedOffsets(file, frames)) ??
    byOffsets(fragments, basicOffsets(file.bytes, table, frames)) ??
    (count === frames ? Uint32Array.from({ length: count + 1 }, (_, i) => i) : undefined) ??
    byMarkers(file.bytes, fragments, frames);
  if (!starts) throw new DamagedFile('The frames of the compressed pixel data cannot be told apart.');
  starts[frames] = count;
  // Copies, which can be transferred to another thread.
  const own = { offsets: fragments.offsets.slice(), lengths: fragments.lengths.slice() };
  return { kind: 'encapsulated', frames, fragments: own, starts };
}

/** Reads the Basic Offset Table, PS3.5 §A.4; undefined when it is not for this number of frames. */
function basicOffsets(bytes: Bytes, { offsets, lengths }: Fragments, frames: number): number[] | undefined {
  const length = lengths[0]! - (lengths[0]! % 4);
  if (length !== 4 * frames) return undefined;
  const value = bytes.slice(offsets[0]!, length);
  return Array.from({ length: frames }, (_, i) => value.readUInt32LE(4 * i));
}

/** Groups by offsets, which count from the item of the first fragment. Undefined when one points to no fragment. */
function byOffsets({ offsets }: Fragments, wanted: readonly number[] | undefined): Uint32Array | undefined {
  if (!wanted || offsets.length === 0 || wanted[0] !== 0) return undefined;
  const starts = new Uint32Array(wanted.length + 1);
  let fragment = 0;
  for (let frame = 1; frame < wanted.length; frame++) {
    const offset = wanted[frame]! + offsets[0]!;
    if (wanted[frame]! <= wanted[frame - 1]!) return undefined;
    while (fragment < offsets.length && offsets[fragment]! < offset) fragment++;
    if (offsets[fragment] !== offset) return undefined;
    starts[frame] = fragment;
  }
  return starts;
}

/** Most fragments whose bytes are read to separate frames. */
const MAX_LOOKED_AT = 100_000;

/**
 * Groups by markers. A frame starts at a fragment that starts with SOI or SOC, if the fragment before it ends with EOI
 * or EOC: a fragment within a frame may start with these bytes by chance. Some devices omit EOI; then the start markers
 * alone must give the right number of frames.
 */
function byMarkers(bytes: Bytes, { offsets, lengths }: Fragments, frames: number): Uint32Array | undefined {
  const count = lengths.length;
  if (count > MAX_LOOKED_AT)
    throw new DamagedFile(`More than ${MAX_LOOKED_AT} fragments of pixel data have no offset table.`);
  const begins = Array.from({ length: count }, (_, i) => {
    const head = lengths[i]! < 4 ? 0 : bytes.slice(offsets[i]!, 2).readUInt16BE();
    return head === 0xffd8 || head === 0xff4f;
  });
  const ends = Array.from({ length: count }, (_, i) => {
    // Read only before a start marker.
    if (!begins[i + 1] || lengths[i]! < 4) return false;
    return /ffd9(00|ff)?$/.test(bytes.slice(offsets[i]! + lengths[i]! - 4, 4).toString('hex'));
  });
  const startsWhere = (isFirst: (i: number) => boolean): Uint32Array | undefined => {
    const starts = [...begins.keys()].filter(isFirst);
    return begins[0] && starts.length === frames ? Uint32Array.from([...starts, count]) : undefined;
  };
  return startsWhere((i) => begins[i]! && (i === 0 || ends[i - 1]!)) ?? startsWhere((i) => begins[i]!);
}

/** Reads bytes of the file from an offset. */
export type Read = (offset: number, length: number) => Promise<Buffer>;

/**
 * Opens one frame with the bytes of `readFrame`. A large frame is read piece by piece, as its reader takes it.
 * @param number from 1, within range
 */
export async function openFrame(layout: PixelLayout, number: number, read: Read): Promise<FrameBytes> {
  const placed = placeOf(layout, number);
  if (!placed || placed.length <= MOST_IN_MEMORY) return readFrame(layout, number, read);
  const { pieces, length, swapUnit } = placed;
  return {
    length,
    async *[Symbol.asyncIterator]() {
      for (const run of runs(pieces)) yield swap(await joinedFragments(run, read), swapUnit);
    },
    close: () => Promise.resolve(),
  };
}

/** Yields pieces to read together: at most `PIECE` bytes, including the item heads between them. */
function* runs({ offsets, lengths }: Fragments): Generator<Fragments> {
  let run: { offsets: number[]; lengths: number[] } = { offsets: [], lengths: [] };
  const whole = () => ({ offsets: Float64Array.from(run.offsets), lengths: Uint32Array.from(run.lengths) });
  for (const [i, length] of lengths.entries()) {
    for (let done = 0; done < length; done += PIECE) {
      const offset = offsets[i]! + done;
      const part = Math.min(PIECE, length - done);
      if (run.offsets.length > 0 && offset + part - run.offsets[0]! > PIECE) {
        yield whole();
        run = { offsets: [], lengths: [] };
      }
      run.offsets.push(offset);
      run.lengths.push(part);
    }
  }
  if (run.offsets.length > 0) yield whole();
}

/** Returns the fragments of one frame. @param number from 1 */
function fragmentsOf({ fragments, starts }: EncapsulatedLayout, number: number): Fragments {
  const [first, after] = [starts[number - 1]!, starts[number]!];
  return {
    offsets: fragments.offsets.subarray(first, after),
    lengths: fragments.lengths.subarray(first, after),
  };
}

/** Returns the pieces of a frame; undefined if it starts or ends within a byte or word, and so must be read whole. */
function placeOf(
  layout: PixelLayout,
  number: number,
): { pieces: Fragments; length: number; swapUnit: number } | undefined {
  if (layout.kind === 'encapsulated') {
    const pieces = fragmentsOf(layout, number);
    return { pieces, length: pieces.lengths.reduce((sum, length) => sum + length, 0), swapUnit: 1 };
  }
  const { offset, bitsPerFrame, swapUnit } = layout;
  const length = bitsPerFrame / 8;
  if (!Number.isInteger(length / swapUnit) || length > 0xffffffff) return undefined;
  const pieces = {
    offsets: Float64Array.of(offset + (number - 1) * length),
    lengths: Uint32Array.of(length),
  };
  return { pieces, length, swapUnit };
}

/**
 * Reads one frame: native pixels in little endian, or the joined fragments of a compressed frame.
 * @param number from 1, within range
 */
export async function readFrame(layout: PixelLayout, number: number, read: Read): Promise<Buffer> {
  if (layout.kind === 'native') return nativeFrame(layout, number, read);
  return joinedFragments(fragmentsOf(layout, number), read);
}

/** Fragments moved before the event loop continues with other work. */
const MOVED_AT_ONCE = 20_000;

/** Reads adjacent fragments in one piece, and removes the item heads between them. */
async function joinedFragments({ offsets, lengths }: Fragments, read: Read): Promise<Buffer> {
  const last = lengths.length - 1;
  const start = offsets[0]!;
  // One read, because some encoders write fragments of a few bytes.
  const piece = await read(start, offsets[last]! + lengths[last]! - start);
  if (last === 0) return piece;
  let end = 0;
  for (let i = 0; i <= last; i++) {
    const offset = offsets[i]! - start;
    if (lengths[i]! > 0) piece.copyWithin(end, offset, offset + lengths[i]!);
    end += lengths[i]!;
    if (i % MOVED_AT_ONCE === MOVED_AT_ONCE - 1) await nextTurn();
  }
  return piece.subarray(0, end);
}

async function nativeFrame(layout: NativeLayout, number: number, read: Read): Promise<Buffer> {
  const { offset, length, bitsPerFrame, swapUnit } = layout;
  const startBit = (number - 1) * bitsPerFrame;
  const endBit = startBit + bitsPerFrame;
  // Whole words, so that their bytes can be swapped. Neighbouring bytes of an odd frame are cut off below.
  const start = Math.floor(startBit / 8 / swapUnit) * swapUnit;
  const end = Math.min(length, Math.ceil(endBit / 8 / swapUnit) * swapUnit);
  const words = swap(await read(offset + start, end - start), swapUnit);
  const first = startBit - start * 8;
  if (bitsPerFrame % 8 !== 0) return repack(words, first, bitsPerFrame);
  const bytes = bitsPerFrame / 8;
  // The buffer itself if it is exactly the frame: it may return to a pool.
  return words.length === bytes ? words : words.subarray(first / 8, first / 8 + bytes);
}

/** Moves bits from `start` on to the start of a byte, for a frame of one bit a pixel that starts within a byte. */
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
