import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { decodeNative } from './native.ts';
import { littleEndianWords, sampleCount, type StreamSamples } from './samples.ts';

const HEADER = 64;

/**
 * Decodes RLE Lossless, PS3.5 Annex G: a segment of PackBits runs for each byte of each sample, highest first. Pixels
 * of one bit are packed in one segment.
 */
export function decodeRle(encoded: Uint8Array, pixels: PixelDescription): StreamSamples {
  const { bitsAllocated, samplesPerPixel, rows, columns } = pixels;
  const size = Math.max(1, bitsAllocated / 8);
  const offsets = segmentOffsets(encoded, samplesPerPixel * size);
  if (bitsAllocated === 1) {
    const packed = new Uint8Array(Math.ceil(sampleCount(pixels) / 8));
    unpack(encoded.subarray(offsets[0], offsets[1]), packed, 0, 1);
    return decodeNative(packed, pixels);
  }
  // Little-endian words, colour by pixel: each segment fills every n-th byte.
  const bytes = new Uint8Array(rows * columns * samplesPerPixel * size);
  for (let segment = 0; segment < samplesPerPixel * size; segment++) {
    const sample = Math.floor(segment / size);
    const byte = size - 1 - (segment % size);
    const source = encoded.subarray(offsets[segment], offsets[segment + 1]);
    unpack(source, bytes, sample * size + byte, samplesPerPixel * size);
  }
  return { data: littleEndianWords(bytes, size as 1 | 2 | 4), precision: bitsAllocated };
}

/** Returns the start of each segment, and the end of the last. */
function segmentOffsets(encoded: Uint8Array, segments: number): number[] {
  if (encoded.length < HEADER) throw new DamagedFile('The RLE header is cut short.');
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.length);
  if (segments > 15 || view.getUint32(0, true) !== segments)
    throw new DamagedFile(
      `The RLE frame has another number of segments than the ${segments} of its samples.`,
    );
  const offsets = Array.from({ length: segments }, (_, i) => view.getUint32(4 + 4 * i, true));
  offsets.push(encoded.length);
  const ordered = offsets.every((offset, i) => offset >= (i === 0 ? HEADER : offsets[i - 1]!));
  if (!ordered || offsets[segments - 1]! > encoded.length)
    throw new DamagedFile('The segments of the RLE frame overlap or lie beyond its end.');
  return offsets;
}

/** Unpacks PackBits, PS3.5 §G.3, into every `step`-th byte. The last run may continue after the pixels as padding. */
function unpack(source: Uint8Array, target: Uint8Array, start: number, step: number): void {
  let to = start;
  const end = target.length;
  for (let at = 0; to < end && at < source.length;) {
    const control = source[at++]!;
    if (control < 128) {
      const after = at + control + 1;
      if (after > source.length) throw new DamagedFile('A run of the RLE frame is cut short.');
      for (; at < after && to < end; to += step) target[to] = source[at++]!;
      at = after;
    } else if (control > 128) {
      const value = source[at++];
      if (value === undefined) throw new DamagedFile('A run of the RLE frame is cut short.');
      const after = Math.min(end, to + (257 - control) * step);
      if (step === 1) target.fill(value, to, after);
      else for (let next = to; next < after; next += step) target[next] = value;
      to = after;
    }
  }
  if (to < end) throw new DamagedFile('The RLE frame is shorter than the header promises.');
}
