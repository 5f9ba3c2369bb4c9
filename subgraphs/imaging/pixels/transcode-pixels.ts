import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { DamagedFile } from '../dicom/part10/bytes.ts';
import { inAnnouncedColours, inAnnouncedOrder, sharesChroma } from './announced-colours.ts';
import { decodeSamples } from './codecs/frame.ts';
import type { DecodedFrame, Samples } from './codecs/decoded-frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { encodeHtj2k, encodeHtj2kRpcl } from './codecs/htj2k.ts';
import { encodeJpeg2000 } from './codecs/jpeg-2000.ts';
import { encodeJpegLs } from './codecs/jpeg-ls.ts';
import { finishFrame } from './codecs/samples.ts';

type Encoder = (frame: DecodedFrame) => Uint8Array | Promise<Uint8Array>;

/** Encoders by transfer syntax, all lossless. */
const ENCODERS: Record<string, Encoder> = {
  [TransferSyntax.JPEGLSLossless]: encodeJpegLs,
  [TransferSyntax.JPEG2000Lossless]: encodeJpeg2000,
  [TransferSyntax.HTJ2KLossless]: encodeHtj2k,
  [TransferSyntax.HTJ2KLosslessRPCL]: encodeHtj2kRpcl,
};

/** Tells whether frames can be compressed without loss to a transfer syntax. */
export function canCompress(transferSyntax: string): boolean {
  return Object.hasOwn(ENCODERS, transferSyntax);
}

/** JPEG 2000 in both forms: colour is RGB, which is transformed. JPEG-LS takes colours as they are. */
const TRANSFORMING: ReadonlySet<string> = new Set([
  TransferSyntax.JPEG2000Lossless,
  TransferSyntax.HTJ2KLossless,
  TransferSyntax.HTJ2KLosslessRPCL,
]);

/**
 * Tells whether the encoder of a transfer syntax takes such pixels: 2 to 16 bits, colours of JPEG 2000 up to 8 bits, without
 * overlays in other bits, which would be lost.
 */
export function encoderTakes(pixels: PixelDescription, to: string): boolean {
  const { bitsAllocated, bitsStored, samplesPerPixel, floating, overlaysBeside } = pixels;
  if (floating || overlaysBeside || bitsStored < 2) return false;
  if (samplesPerPixel > 1 && TRANSFORMING.has(to) && (samplesPerPixel !== 3 || bitsStored > 8)) return false;
  return bitsAllocated === 8 || bitsAllocated === 16;
}

/** Tells whether colours in this interpretation, as they are decoded, are compressed to a transfer syntax. */
export function encoderTakesColours(photometricInterpretation: string, to: string): boolean {
  return !TRANSFORMING.has(to) || !/^YBR_(FULL|PARTIAL)/.test(photometricInterpretation);
}

/** One frame to transcode to Explicit VR Little Endian, or a transfer syntax that `canCompress` allows. */
export interface PixelTask {
  encoded: Uint8Array;
  transferSyntax: string;
  pixels: PixelDescription;
  to: string;
  /**
   * True for frames that are sent without their data set: colours and their order are those of the stored metadata.
   * Otherwise colour by pixel, and RGB if the decoder gives RGB.
   */
  announced?: boolean;
}

export interface TranscodedPixels {
  /** Native little-endian pixels, or the compressed stream. */
  bytes: Uint8Array;
  /** Of `bytes`. */
  photometricInterpretation: string;
}

/**
 * Transcodes one frame.
 * @throws {DamagedFile} as `decodeFrame`, and for pixels that the encoder does not take; Fault `not_acceptable` when
 * they cannot be given as announced
 */
export async function transcodePixels({
  encoded,
  transferSyntax,
  pixels,
  to,
  announced = false,
}: PixelTask): Promise<TranscodedPixels> {
  const native = to === TransferSyntax.ExplicitVRLittleEndian;
  if (!native && !canCompress(to))
    throw new DamagedFile(`There is no encoder for the transfer syntax ${to}.`);
  if (!native && announced && sharesChroma(pixels))
    throw new Fault(
      'not_acceptable',
      'No lossless compression supports the YBR_FULL_422 of the metadata. Retrieve the frames as stored or as octets.',
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

async function compressed(frame: DecodedFrame, to: string): Promise<TranscodedPixels> {
  const { samplesPerPixel, photometricInterpretation } = frame;
  const transformed = samplesPerPixel === 3 && TRANSFORMING.has(to);
  if (transformed && photometricInterpretation !== 'RGB')
    throw new Fault(
      'not_acceptable',
      `Pixels in ${photometricInterpretation} cannot be compressed with JPEG 2000. Retrieve them as stored.`,
    );
  return {
    bytes: await ENCODERS[to]!(frame),
    // PS3.5 §8.2.4, and the same for HTJ2K.
    photometricInterpretation: transformed ? 'YBR_RCT' : photometricInterpretation,
  };
}

/** Describes whole words as stored bits, to keep overlays in the bits beside the stored ones (retired). */
function wholeWords(pixels: PixelDescription): PixelDescription {
  const { bitsAllocated } = pixels;
  return { ...pixels, bitsStored: bitsAllocated, highBit: bitsAllocated - 1, pixelRepresentation: 0 };
}

/**
 * Converts samples to native pixels, PS3.5 §8.1.1: words of BitsAllocated in little endian, single bits packed.
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
