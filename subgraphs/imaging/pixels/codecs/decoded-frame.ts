/** One number each. */
export type Samples =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

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
