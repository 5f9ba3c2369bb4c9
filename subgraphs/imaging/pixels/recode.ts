import { TransferSyntax } from '../../../schema/dicom.ts';
import { DamagedFile } from '../part10/bytes.ts';
import { decodeFrame, type DecodedFrame, type PixelDescription, type Samples } from './frame.ts';
import { encodeHtj2k } from './htj2k.ts';
import { encodeJpeg2000 } from './jpeg-2000.ts';
import { encodeJpegLs } from './jpeg-ls.ts';

type Encoder = (frame: DecodedFrame) => Uint8Array | Promise<Uint8Array>;

/** What frames can be written in. The encoders are all without loss. */
const ENCODERS: Record<string, Encoder> = {
  [TransferSyntax.JPEGLSLossless]: encodeJpegLs,
  [TransferSyntax.JPEG2000Lossless]: encodeJpeg2000,
  [TransferSyntax.HTJ2KLossless]: encodeHtj2k,
};

/** Whether frames can be compressed so, without loss. */
export function canCompress(transferSyntax: string): boolean {
  return Object.hasOwn(ENCODERS, transferSyntax);
}

/** Whether the encoders take such pixels: 2 to 16 bits. */
export function encoderTakes({ bitsAllocated, bitsStored, floating }: PixelDescription): boolean {
  return !floating && bitsStored > 1 && (bitsAllocated === 8 || bitsAllocated === 16);
}

/** One frame, to be written in another transfer syntax: Explicit VR Little Endian, or one that `canCompress` knows. */
export interface RecodeTask {
  encoded: Uint8Array;
  transferSyntax: string;
  pixels: PixelDescription;
  to: string;
}

export interface RecodedFrame {
  /** Native little-endian pixels, colour by pixel; or the compressed stream. */
  bytes: Uint8Array;
  /** Where decoding has changed it. */
  photometricInterpretation: string;
}

/** @throws {DamagedFile} as `decodeFrame` does, and for pixels that the encoder does not take */
export async function recodeFrame({
  encoded,
  transferSyntax,
  pixels,
  to,
}: RecodeTask): Promise<RecodedFrame> {
  const frame = await decodeFrame(encoded, transferSyntax, pixels);
  const { photometricInterpretation } = frame;
  if (to === TransferSyntax.ExplicitVRLittleEndian)
    return { bytes: nativeBytes(frame.samples, pixels.bitsAllocated), photometricInterpretation };
  if (!canCompress(to)) throw new DamagedFile(`There is no encoder for the transfer syntax ${to}.`);
  return { bytes: await ENCODERS[to]!(frame), photometricInterpretation };
}

/** Samples as native pixels are stored, PS3.5 §8.1.1: BitsAllocated each, little endian; single bits packed. */
export function nativeBytes(samples: Samples, bitsAllocated: number): Uint8Array {
  if (bitsAllocated === 1) {
    const packed = new Uint8Array(Math.ceil(samples.length / 8));
    for (let i = 0; i < samples.length; i++) packed[i >> 3]! |= samples[i]! << (i & 7);
    return packed;
  }
  const words = samples.BYTES_PER_ELEMENT * 8 === bitsAllocated ? samples : widened(samples, bitsAllocated);
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function widened(samples: Samples, bitsAllocated: number): Samples {
  const Words = bitsAllocated === 8 ? Uint8Array : bitsAllocated === 16 ? Uint16Array : Uint32Array;
  return new Words(samples);
}
