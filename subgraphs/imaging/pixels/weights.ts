import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { NATIVE } from './codecs/native.ts';
import { sampleCount } from './codecs/samples.ts';

/**
 * Estimates the bytes that work on pixels takes at its peak, from the description of the object, before anything is
 * read or allocated (DW-24). The factors were measured with each codec and rounded up.
 */

/** Returns the bytes of a decoded frame. */
export function decodedBytes(pixels: PixelDescription): number {
  return sampleCount(pixels) * Math.max(1, pixels.bitsAllocated / 8);
}

/** Returns the bytes to decode one frame, with its decoded samples and without its encoded bytes. */
function decodeWeight(transferSyntax: string, pixels: PixelDescription): number {
  const bytes = decodedBytes(pixels);
  const samples = sampleCount(pixels);
  if (NATIVE.has(transferSyntax)) {
    const { bitsAllocated, bitsStored, planarConfiguration, floating, photometricInterpretation } = pixels;
    // Otherwise the samples are the encoded bytes themselves.
    const moved = bitsAllocated === 1 || planarConfiguration === 1 || floating;
    const copied = moved || bitsStored < bitsAllocated || photometricInterpretation.endsWith('_422');
    return copied ? bytes : 0;
  }
  if (transferSyntax === TransferSyntax.RLELossless) return bytes;
  const htj2k = /^1\.2\.840\.10008\.1\.2\.4\.20\d$/.test(transferSyntax);
  // JPEG 2000, which may decode colours of HTJ2K: 32-bit integers twice, and the samples on the codec's heap and outside it.
  if (/^1\.2\.840\.10008\.1\.2\.4\.9\d$/.test(transferSyntax) || (htj2k && pixels.samplesPerPixel > 1))
    return samples * 8 + bytes * 2;
  // HTJ2K and JPEG-LS: samples on the heap, which grows in steps, and outside it.
  if (htj2k || /^1\.2\.840\.10008\.1\.2\.4\.8\d$/.test(transferSyntax)) return bytes * 4;
  // Baseline JPEG of eight bits: the heap after growth, and the samples outside it.
  if (transferSyntax === '1.2.840.10008.1.2.4.50') return samples * 3.3;
  // Other JPEG: coefficients, planes and samples.
  if (transferSyntax.startsWith('1.2.840.10008.1.2.4.')) return Math.max(samples * 6, bytes);
  // Big endian and deflated frames: a copy, and joined chunks.
  return bytes * 2;
}

/** Returns the bytes to transcode one frame, with its result and without its encoded bytes. */
export function transcodeWeight(
  { transferSyntax, to, announced = false }: { transferSyntax: string; to: string; announced?: boolean },
  pixels: PixelDescription,
): number {
  const bytes = decodedBytes(pixels);
  const decoded = decodeWeight(transferSyntax, pixels);
  const colours = /^YBR/.test(pixels.photometricInterpretation) || pixels.planarConfiguration === 1;
  return decoded + (announced && colours ? bytes : 0) + encodeWeight(to, pixels, bytes);
}

function encodeWeight(to: string, pixels: PixelDescription, bytes: number): number {
  // Samples with a sign are copied.
  const copy = pixels.pixelRepresentation === 1 ? bytes : 0;
  switch (to) {
    case TransferSyntax.JPEG2000Lossless:
      return sampleCount(pixels) * 8 + bytes * 2 + copy;
    case TransferSyntax.HTJ2KLossless:
    case TransferSyntax.HTJ2KLosslessRPCL:
      return sampleCount(pixels) * 6 + copy;
    case TransferSyntax.JPEGLSLossless:
      return bytes * 3;
    default:
      // Single bits are packed into a copy, words are used as they are.
      return pixels.bitsAllocated === 1 ? bytes / 8 : 0;
  }
}

/** Bytes for each pixel that the encoder of a picture takes. */
const PICTURE_ENCODERS: Readonly<Record<string, number>> = {
  'image/jpeg': 0.5,
  'image/png': 0.5,
  'image/webp': 6,
  'image/gif': 11,
};

/** The facts of a picture that decide its weight. */
export interface PictureOutline {
  transferSyntax: string;
  pixels: PixelDescription;
  type: string;
  size: { width: number; height: number };
  region?: object | undefined;
  overlays?: boolean | undefined;
}

/** Returns the bytes to render frames as one picture, without their encoded bytes. */
export function renderWeight(outline: PictureOutline, frames: number): number {
  const { transferSyntax, pixels, type, size, region, overlays } = outline;
  const area = pixels.rows * pixels.columns;
  const shown = size.width * size.height;
  const asIs = pixels.photometricInterpretation === 'RGB' && pixels.bitsStored === 8;
  const coloured = pixels.samplesPerPixel > 1 || pixels.photometricInterpretation === 'PALETTE COLOR';
  const channels = coloured ? 3 : 1;
  const copies = (asIs ? 0 : 1) + (overlays ? 1 : 0) + (region ? 1 : 0);
  const words = overlays && pixels.overlaysBeside ? decodedBytes(pixels) : 0;
  const kept = NATIVE.has(transferSyntax) ? 0 : decodedBytes(pixels) * (frames - 1);
  // Text is drawn into a separate layer.
  const layer = overlays ? shown * 8 : 0;
  const pages = frames > 1 ? shown * 4 * frames : 0;
  const encoder = shown * (PICTURE_ENCODERS[type] ?? 11);
  const picture = copies * channels * area + layer + pages + encoder;
  return decodeWeight(transferSyntax, pixels) + kept + words * frames + picture;
}

/** Returns the bytes to draw a picture of this size. */
export function rasterWeight(type: string, { width, height }: { width: number; height: number }): number {
  return width * height * (5 + (PICTURE_ENCODERS[type] ?? 11));
}
