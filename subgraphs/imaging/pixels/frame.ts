import { DamagedFile } from '../part10/bytes.ts';

/** What the data set says of its pixels, PS3.3 §C.7.6.3. */
export interface PixelDescription {
  rows: number;
  columns: number;
  samplesPerPixel: number;
  bitsAllocated: number;
  bitsStored: number;
  highBit: number;
  pixelRepresentation: 0 | 1;
  planarConfiguration: 0 | 1;
  photometricInterpretation: string;
  numberOfFrames: number;
  /** Float Pixel Data (7FE0,0008) and Double Float Pixel Data (7FE0,0009), PS3.3 §C.7.6.24. */
  floating?: 'float' | 'double';
}

export type Samples =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/**
 * One frame, decoded: samples interleaved (colour by pixel), sign extended, bits outside bitsStored removed,
 * native byte order.
 */
export interface DecodedFrame {
  rows: number;
  columns: number;
  samplesPerPixel: number;
  bitsStored: number;
  signed: boolean;
  /** Of the samples as they are here: decoders turn YBR of JPEG into RGB where they do. */
  photometricInterpretation: string;
  samples: Samples;
}

/**
 * Decodes one frame in the calling thread.
 * @param encoded the frame as it is stored: one native frame, or the fragments of an encapsulated one, joined
 * @param transferSyntax UID
 * @throws {DamagedFile} when the bytes are not what transfer syntax and description promise, or nothing here decodes it
 */
export async function decodeFrame(
  encoded: Uint8Array,
  transferSyntax: string,
  pixels: PixelDescription,
): Promise<DecodedFrame> {
  throw new DamagedFile(`No decoder for ${transferSyntax}, ${encoded.length}, ${pixels.rows}.`);
}
