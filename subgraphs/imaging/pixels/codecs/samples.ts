import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { DecodedFrame, Samples } from './decoded-frame.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';

/** What a codec makes of a stream: the numbers in it, before the data set says what they mean. */
export interface StreamSamples {
  /** Colour by pixel. Integers as they were coded, without sign. */
  data: Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array;
  /** Bits of each number that the stream codes; of native pixels BitsAllocated. */
  precision: number;
  /** Where the codec has changed it. */
  photometricInterpretation?: string;
  /** Whether `data` are the encoded bytes themselves, which are not to be changed. */
  shared?: true;
}

/** Numbers of a frame. */
export function sampleCount({ rows, columns, samplesPerPixel }: PixelDescription): number {
  return rows * columns * samplesPerPixel;
}

/**
 * What a stream says of its own size, before anything is allocated for it.
 * @throws {DamagedFile} where that is not what the data set says
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

/** Numbers of `size` bytes each from little-endian bytes at any address. */
export function littleEndianWords(
  bytes: Uint8Array,
  size: 1 | 2 | 4,
): Uint8Array | Uint16Array | Uint32Array {
  if (size === 1) return bytes;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const Words = size === 2 ? Uint16Array : Uint32Array;
  return new Words(aligned.buffer as ArrayBuffer, aligned.byteOffset, Math.floor(aligned.length / size));
}

/** Planes of colours, one after the other, made colour by pixel. */
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
 * What samples are once they are decoded: the transformations of JPEG 2000 are undone, and every pixel has all three of
 * its samples. Writers that say 422 and store all three have stored YBR_FULL.
 */
export function decodedInterpretation(stated: string): string {
  return /^YBR_(ICT|RCT)$/.test(stated) ? 'RGB' : stated.replace(/_422$/, '');
}

/**
 * Cuts each number down to the bits that are stored and gives it its sign (PS3.5 §8.1.1), in the decoder's own memory
 * where the numbers keep their size.
 */
export function finishFrame(stream: StreamSamples, pixels: PixelDescription): DecodedFrame {
  const { rows, columns, samplesPerPixel, bitsStored } = pixels;
  const floating = stream.data instanceof Float32Array || stream.data instanceof Float64Array;
  if (stream.data.length !== sampleCount(pixels))
    throw new DamagedFile('The frame has another number of pixels than the header promises.');
  const signed = pixels.pixelRepresentation === 1 && !floating;
  return {
    ...{ rows, columns, samplesPerPixel, bitsStored, signed },
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
  // A codec codes the stored bits alone; only whole words have others around them.
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
