import { inflateRawSync } from 'node:zlib';
import { TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { DamagedFile } from '../../dicom/part10/bytes.ts';
import { swap } from '../../dicom/part10/values.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import { interleave, littleEndianWords, sampleCount, type StreamSamples } from './samples.ts';

/** Transfer syntaxes that pixels can be decoded to. Big Endian is retired: only uncompressed files are sent in it. */
export const NATIVE: ReadonlySet<string> = new Set([
  TransferSyntax.ImplicitVRLittleEndian,
  TransferSyntax.ExplicitVRLittleEndian,
  TransferSyntax.DeflatedExplicitVRLittleEndian,
]);

/** Decodes native pixels in little endian, PS3.5 §8.1.1 and §8.2. */
export function decodeNative(encoded: Uint8Array, pixels: PixelDescription): StreamSamples {
  const { bitsAllocated, planarConfiguration, samplesPerPixel, photometricInterpretation, floating } = pixels;
  const count = sampleCount(pixels);
  if (floating) return { data: floats(encoded, count, floating), precision: bitsAllocated };
  if (bitsAllocated === 1)
    return { data: unpackBits(atLeast(encoded, Math.ceil(count / 8)), count), precision: 1 };
  const size = (bitsAllocated / 8) as 1 | 2 | 4;
  if (/^YBR_(FULL|PARTIAL)_422$/.test(photometricInterpretation) && encoded.length < count * size) {
    const shared = atLeast(encoded, sampleCount({ ...pixels, samplesPerPixel: 2 }) * size);
    return { data: repeatChroma(littleEndianWords(shared, size), pixels.columns), precision: bitsAllocated };
  }
  const words = littleEndianWords(atLeast(encoded, count * size), size);
  return {
    data: planarConfiguration === 1 ? interleave(words, samplesPerPixel) : words,
    precision: bitsAllocated,
    shared: true,
  };
}

/** Decodes native pixels of a big endian file, PS3.5 §7.3: words of BitsAllocated. */
export function decodeBigEndian(encoded: Uint8Array, pixels: PixelDescription): StreamSamples {
  return decodeNative(swap(Buffer.from(encoded), Math.max(1, pixels.bitsAllocated / 8)), pixels);
}

/** Decodes Deflated Image Frame Compression, PS3.5 §A.4.13: native pixels, one deflate stream (RFC 1951) a frame. */
export function decodeDeflated(encoded: Uint8Array, pixels: PixelDescription): StreamSamples {
  const whole = Math.ceil((sampleCount(pixels) * pixels.bitsAllocated) / 8);
  let inflated: Buffer;
  try {
    // One byte to make the length even, PS3.5 §A.4.13.
    inflated = inflateRawSync(encoded, { maxOutputLength: whole + 1 });
  } catch (cause) {
    throw new DamagedFile('The deflated frame cannot be inflated to what the header promises.', { cause });
  }
  return decodeNative(inflated, pixels);
}

function atLeast(encoded: Uint8Array, bytes: number): Uint8Array {
  if (encoded.length < bytes) throw new DamagedFile('The frame is shorter than the header promises.');
  return encoded.subarray(0, bytes);
}

function floats(encoded: Uint8Array, count: number, kind: 'float' | 'double'): Float32Array | Float64Array {
  const Floats = kind === 'float' ? Float32Array : Float64Array;
  const bytes = atLeast(encoded, count * Floats.BYTES_PER_ELEMENT).slice();
  return new Floats(bytes.buffer, 0, count);
}

/** Unpacks single bits. The first pixel is the lowest bit, PS3.5 §8.1.1. */
function unpackBits(packed: Uint8Array, count: number): Uint8Array {
  const bits = new Uint8Array(count);
  for (let i = 0; i < count; i++) bits[i] = (packed[i >> 3]! >> (i & 7)) & 1;
  return bits;
}

/** Unpacks Y Y Cb Cr to two pixels with the same chroma, PS3.3 §C.7.6.3.1.2. */
function repeatChroma<T extends Uint8Array | Uint16Array | Uint32Array>(shared: T, columns: number): T {
  if (columns % 2)
    throw new DamagedFile('Rows of an odd number of pixels cannot share their chroma by twos.');
  const full = new (shared.constructor as new (length: number) => T)((shared.length / 2) * 3);
  for (let from = 0, to = 0; from < shared.length; from += 4, to += 6) {
    full[to] = shared[from]!;
    full[to + 3] = shared[from + 1]!;
    full[to + 1] = full[to + 4] = shared[from + 2]!;
    full[to + 2] = full[to + 5] = shared[from + 3]!;
  }
  return full;
}
