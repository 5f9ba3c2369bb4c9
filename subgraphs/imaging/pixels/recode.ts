import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { DamagedFile } from '../dicom/part10/bytes.ts';
import { inAnnouncedColours, inAnnouncedOrder, sharesChroma } from './announced.ts';
import { decodeSamples } from './codecs/frame.ts';
import type { DecodedFrame, Samples } from './codecs/decoded-frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { encodeHtj2k } from './codecs/htj2k.ts';
import { encodeJpeg2000 } from './codecs/jpeg-2000.ts';
import { encodeJpegLs } from './codecs/jpeg-ls.ts';
import { finishFrame } from './codecs/samples.ts';

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

/** Whether the encoders take such pixels: 2 to 16 bits, and nothing in those beside them, which would be lost. */
export function encoderTakes(pixels: PixelDescription): boolean {
  const { bitsAllocated, bitsStored, floating, overlaysBeside } = pixels;
  return !floating && !overlaysBeside && bitsStored > 1 && (bitsAllocated === 8 || bitsAllocated === 16);
}

/** One frame, to be written in another transfer syntax: Explicit VR Little Endian, or one that `canCompress` knows. */
export interface RecodeTask {
  encoded: Uint8Array;
  transferSyntax: string;
  pixels: PixelDescription;
  to: string;
  /**
   * For frames that are given without their data set: colours and their order as the metadata of the stored object
   * announce them. Otherwise colour by pixel, and RGB where the decoder gives that.
   */
  announced?: boolean;
}

export interface RecodedFrame {
  /** Native little-endian pixels, or the compressed stream. */
  bytes: Uint8Array;
  /** Of `bytes`. */
  photometricInterpretation: string;
}

/**
 * @throws {DamagedFile} as `decodeFrame` does, and for pixels that the encoder does not take; Fault `not_acceptable`
 * where they cannot be had as announced
 */
export async function recodeFrame({
  encoded,
  transferSyntax,
  pixels,
  to,
  announced = false,
}: RecodeTask): Promise<RecodedFrame> {
  const native = to === TransferSyntax.ExplicitVRLittleEndian;
  if (!native && !canCompress(to))
    throw new DamagedFile(`There is no encoder for the transfer syntax ${to}.`);
  if (!native && announced && sharesChroma(pixels))
    throw new Fault(
      'not_acceptable',
      'No lossless compression knows the YBR_FULL_422 of the metadata; retrieve the frames as stored, or as octets.',
    );
  const stream = await decodeSamples(encoded, transferSyntax, pixels, announced);
  const whole = native && stream.precision === pixels.bitsAllocated;
  const decoded = finishFrame(stream, whole ? wholeWords(pixels) : pixels);
  const frame = announced ? inAnnouncedColours(decoded, pixels) : decoded;
  const { photometricInterpretation } = frame;
  if (!native) return compressed(frame, to);
  const samples = announced ? inAnnouncedOrder(frame.samples, pixels) : frame.samples;
  const shift = whole ? 0 : pixels.highBit + 1 - pixels.bitsStored;
  return { bytes: nativeBytes(samples, pixels.bitsAllocated, shift), photometricInterpretation };
}

async function compressed(frame: DecodedFrame, to: string): Promise<RecodedFrame> {
  const { samplesPerPixel, photometricInterpretation } = frame;
  const transformed = to === TransferSyntax.JPEG2000Lossless && samplesPerPixel === 3;
  if (transformed && photometricInterpretation !== 'RGB')
    throw new Fault('not_acceptable', `JPEG 2000 is made here of RGB, not of ${photometricInterpretation}.`);
  return {
    bytes: await ENCODERS[to]!(frame),
    photometricInterpretation: transformed ? 'YBR_RCT' : photometricInterpretation,
  };
}

/** Words that were coded as a whole stay so: overlays lie in the bits beside the stored ones (retired). */
function wholeWords(pixels: PixelDescription): PixelDescription {
  const { bitsAllocated } = pixels;
  return { ...pixels, bitsStored: bitsAllocated, highBit: bitsAllocated - 1, pixelRepresentation: 0 };
}

/**
 * Samples as native pixels are stored, PS3.5 §8.1.1: BitsAllocated each, little endian; single bits packed.
 * @param shift of the stored bits within each word
 */
export function nativeBytes(samples: Samples, bitsAllocated: number, shift = 0): Uint8Array {
  if (bitsAllocated === 1) {
    const packed = new Uint8Array(Math.ceil(samples.length / 8));
    for (let i = 0; i < samples.length; i++) packed[i >> 3]! |= samples[i]! << (i & 7);
    return packed;
  }
  const words = samples.BYTES_PER_ELEMENT * 8 === bitsAllocated ? samples : widened(samples, bitsAllocated);
  if (shift > 0) for (let i = 0; i < words.length; i++) words[i] = words[i]! << shift;
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function widened(samples: Samples, bitsAllocated: number): Samples {
  const Words = bitsAllocated === 8 ? Uint8Array : bitsAllocated === 16 ? Uint16Array : Uint32Array;
  return new Words(samples);
}
