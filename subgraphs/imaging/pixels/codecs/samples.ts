import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { DecodedFrame, Samples } from './decoded-frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';

/** Samples from a codec, before the data set decides sign and stored bits. */
export interface StreamSamples {
  /** Colour by pixel. Integers as they were coded, without sign. */
  data: Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array;
  /** Coded bits of each number; BitsAllocated for native pixels. */
  precision: number;
  /** Set if the codec has changed it. */
  photometricInterpretation?: string;
  /** True if `data` are the encoded bytes themselves, which must not be changed. */
  shared?: true;
}

/** Returns the number of samples in a frame. */
export function sampleCount({ rows, columns, samplesPerPixel }: PixelDescription): number {
  return rows * columns * samplesPerPixel;
}

/**
 * Checks the size of a stream before memory is allocated for it.
 * @throws {DamagedFile} when it is not the size of the data set
 */
export function checkSize(
  stream: { rows: number; columns: number; samplesPerPixel: number; precision: number },
  pixels: PixelDescription,
): void {
  const { rows, columns, samplesPerPixel } = pixels;
  if (stream.rows !== rows || stream.columns !== columns || stream.samplesPerPixel !== samplesPerPixel) {
    const size = (of: typeof stream | PixelDescription) =>
      `${of.rows} × ${of.columns} × ${of.samplesPerPixel}`;
    throw new DamagedFile(`The frame is ${size(stream)} where the header promises ${size(pixels)}.`);
  }
  if (stream.precision < 1 || stream.precision > 16 || stream.precision > Math.max(8, pixels.bitsAllocated))
    throw new DamagedFile(`The frame has ${stream.precision} bits a sample, the header promises less.`);
}

/** Returns little-endian bytes at any address as words of `size` bytes. */
export function littleEndianWords(
  bytes: Uint8Array,
  size: 1 | 2 | 4,
): Uint8Array | Uint16Array | Uint32Array {
  if (size === 1) return bytes;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const Words = size === 2 ? Uint16Array : Uint32Array;
  return new Words(aligned.buffer as ArrayBuffer, aligned.byteOffset, Math.floor(aligned.length / size));
}

/** Converts samples by plane to samples by pixel. */
export function interleave<T extends Uint8Array | Uint16Array | Uint32Array>(planes: T, samples: number): T {
  if (samples === 1) return planes;
  const pixels = planes.length / samples;
  const result = planes.slice() as T;
  for (let sample = 0; sample < samples; sample++) {
    for (let i = 0, from = sample * pixels, to = sample; i < pixels; i++, to += samples) {
      result[to] = planes[from + i]!;
    }
  }
  return result;
}

/**
 * Returns the photometric interpretation of decoded samples. Transforms of JPEG 2000 are reversed, and every pixel has
 * three samples. Writers that announce 422 but store three samples store YBR_FULL.
 */
export function decodedInterpretation(stated: string): string {
  return /^YBR_(ICT|RCT)$/.test(stated) ? 'RGB' : stated.replace(/_422$/, '');
}

/**
 * Extracts the stored bits of each number and extends its sign (PS3.5 §8.1.1), in the decoder's memory if the words
 * keep their size.
 */
export function finishFrame(stream: StreamSamples, pixels: PixelDescription): DecodedFrame {
  const { rows, columns, samplesPerPixel, bitsStored } = pixels;
  const floating = stream.data instanceof Float32Array || stream.data instanceof Float64Array;
  if (stream.data.length !== sampleCount(pixels))
    throw new DamagedFile('The frame has another number of pixels than the header promises.');
  const signed = pixels.pixelRepresentation === 1 && !floating;
  return {
    rows,
    columns,
    samplesPerPixel,
    bitsStored,
    signed,
    photometricInterpretation: decodedInterpretation(
      stream.photometricInterpretation ?? pixels.photometricInterpretation,
    ),
    samples: floating ? stream.data : storedBits(stream as IntegerSamples, pixels),
  };
}

type IntegerSamples = StreamSamples & { data: Uint8Array | Uint16Array | Uint32Array };

function storedBits(
  { data, precision, shared }: IntegerSamples,
  { bitsStored, highBit, pixelRepresentation }: PixelDescription,
): Samples {
  // Codecs code only the stored bits. Only whole words have bits around them.
  const shift = precision > highBit ? highBit + 1 - bitsStored : 0;
  const bits = Math.min(bitsStored, precision);
  const signed = pixelRepresentation === 1;
  const width = bitsStored <= 8 ? 8 : bitsStored <= 16 ? 16 : 32;
  if (data.BYTES_PER_ELEMENT * 8 === width && shift === 0 && (precision === bits || bits === width)) {
    if (!signed) return data;
    if (bits === width) return sameBytes(data, width);
  }
  const Words = { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array }[width];
  const result = !shared && data.BYTES_PER_ELEMENT * 8 === width ? data : new Words(data.length);
  const up = 32 - bits;
  if (signed) for (let i = 0; i < data.length; i++) result[i] = ((data[i]! >>> shift) << up) >> up;
  else for (let i = 0; i < data.length; i++) result[i] = ((data[i]! >>> shift) << up) >>> up;
  return signed ? sameBytes(result, width) : result;
}

function sameBytes({ buffer, byteOffset, length }: Samples, width: number): Samples {
  const Signed = width === 8 ? Int8Array : width === 16 ? Int16Array : Int32Array;
  return new Signed(buffer as ArrayBuffer, byteOffset, length);
}
