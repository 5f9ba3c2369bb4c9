/** Samples of a frame, one number each. */
export type Samples =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;

/**
 * A decoded frame: samples are interleaved (colour by pixel) and sign extended, without bits outside bitsStored, in the
 * byte order of the machine.
 */
export interface DecodedFrame {
  rows: number;
  columns: number;
  samplesPerPixel: number;
  bitsStored: number;
  signed: boolean;
  /** Of these samples. Decoders may have converted YBR of JPEG to RGB. */
  photometricInterpretation: string;
  samples: Samples;
}
