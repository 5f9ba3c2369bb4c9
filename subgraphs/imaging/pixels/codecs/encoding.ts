import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { DecodedFrame } from './decoded-frame.ts';

/** Description of a frame for the WebAssembly codecs. */
export interface FrameInfo {
  width: number;
  height: number;
  bitsPerSample: number;
  componentCount: number;
  isSigned: boolean;
  isUsingColorTransform: boolean;
}

/**
 * Converts a frame for the encoders: little-endian bytes, one or two for each sample.
 * @param isUsingColorTransform true for the reversible transform of RGB (ISO 15444-1 Annex G.2)
 * @throws {DamagedFile} for samples of more than 16 bits, which no encoder takes
 */
export function frameInfo(
  frame: DecodedFrame,
  isUsingColorTransform = false,
): { info: FrameInfo; bytes: Uint8Array } {
  const { rows, columns, samplesPerPixel, bitsStored, signed, samples } = frame;
  if (samples.BYTES_PER_ELEMENT > 2)
    throw new DamagedFile('Samples of more than 16 bits cannot be compressed here.');
  return {
    info: {
      width: columns,
      height: rows,
      bitsPerSample: bitsStored,
      componentCount: samplesPerPixel,
      isSigned: signed,
      isUsingColorTransform,
    },
    bytes: new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength),
  };
}
