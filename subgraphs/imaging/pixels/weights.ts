import { TransferSyntax } from '../../../schema/dicom/dicom.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { NATIVE } from './codecs/native.ts';
import { sampleCount } from './codecs/samples.ts';

/**
 * Bytes that work on pixels takes at its peak, told by what the object announces before anything is read or allocated
 * (DW-24). The factors are those that were measured with each codec, rounded up.
 */

/** Bytes of a decoded frame. */
export function decodedBytes(pixels: PixelDescription): number {
  return sampleCount(pixels) * Math.max(1, pixels.bitsAllocated / 8);
}

/** To decode one frame, its decoded samples included, its encoded bytes apart. */
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
  // JPEG 2000: integers of 32 bits, twice, and the samples on the codec's heap and outside it.
  if (/^1\.2\.840\.10008\.1\.2\.4\.9\d$/.test(transferSyntax)) return samples * 8 + bytes * 2;
  // HTJ2K and JPEG-LS: samples on the heap, which grows by steps, and outside it.
  if (/^1\.2\.840\.10008\.1\.2\.4\.(8\d|20\d)$/.test(transferSyntax)) return bytes * 4;
  // Baseline JPEG, of eight bits: what the heap has grown to, and the samples outside it.
  if (transferSyntax === '1.2.840.10008.1.2.4.50') return samples * 3.3;
  // Other JPEG: coefficients, planes and samples.
  if (transferSyntax.startsWith('1.2.840.10008.1.2.4.')) return Math.max(samples * 6, bytes);
  // Big endian and deflated frames: a copy, and the joined chunks of another.
  return bytes * 2;
}

/** To bring one frame into another transfer syntax; its result is included, its encoded bytes are not. */
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
  switch (to) {
    case TransferSyntax.JPEG2000Lossless:
      return sampleCount(pixels) * 8 + bytes * 2;
    case TransferSyntax.HTJ2KLossless:
      return sampleCount(pixels) * 6;
    case TransferSyntax.JPEGLSLossless:
      return bytes * 3;
    default:
      // Single bits are packed anew; words are given as they are.
      return pixels.bitsAllocated === 1 ? bytes / 8 : 0;
  }
}

/** Bytes a pixel that the encoder of a picture takes. */
const PICTURE_ENCODERS: Readonly<Record<string, number>> = {
  'image/jpeg': 0.5,
  'image/png': 0.5,
  'image/webp': 6,
  'image/gif': 11,
};

/** A picture to be made: what decides its weight. */
export interface PictureOutline {
  transferSyntax: string;
  pixels: PixelDescription;
  type: string;
  size: { width: number; height: number };
  region?: object | undefined;
  overlays?: boolean | undefined;
}

/** To render so many frames as one picture, their encoded bytes apart. */
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
  // Letters are drawn into a layer of their own.
  const layer = overlays ? shown * 8 : 0;
  const pages = frames > 1 ? shown * 4 * frames : 0;
  const encoder = shown * (PICTURE_ENCODERS[type] ?? 11);
  const picture = copies * channels * area + layer + pages + encoder;
  return decodeWeight(transferSyntax, pixels) + kept + words * frames + picture;
}

/** To draw so many pixels. */
export function rasterWeight(type: string, { width, height }: { width: number; height: number }): number {
  return width * height * (5 + (PICTURE_ENCODERS[type] ?? 11));
}
