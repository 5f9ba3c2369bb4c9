import { TransferSyntax } from '../../../../schema/dicom/dicom.ts';
import { DamagedFile } from '../../dicom/part10/bytes.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import { decodeHtj2k } from './htj2k.ts';
import { decodeJpeg } from './jpeg.ts';
import { decodeJpeg2000 } from './jpeg-2000.ts';
import { decodeJpegLs } from './jpeg-ls.ts';
import { decodeBigEndian, decodeDeflated, decodeNative } from './native.ts';
import { decodeRle } from './rle.ts';
import { finishFrame, type StreamSamples } from './samples.ts';

/** Decodes the bytes of one frame, after checking the headers of the stream against the description. */
type Decoder = (
  encoded: Uint8Array,
  pixels: PixelDescription,
  keepYbr: boolean,
) => StreamSamples | Promise<StreamSamples>;

/** Decoders by transfer syntax, PS3.5 Annex A and §10. Sources give frames of a big endian file as little endian. */
const DECODERS: Record<string, Decoder> = {
  [TransferSyntax.ImplicitVRLittleEndian]: decodeNative,
  [TransferSyntax.ExplicitVRLittleEndian]: decodeNative,
  [TransferSyntax.DeflatedExplicitVRLittleEndian]: decodeNative,
  [TransferSyntax.ExplicitVRBigEndian]: decodeBigEndian,
  [TransferSyntax.RLELossless]: decodeRle,
  [TransferSyntax.DeflatedImageFrameCompression]: decodeDeflated,
  ...Object.fromEntries([50, 51, 53, 55, 57, 70].map((n) => [`1.2.840.10008.1.2.4.${n}`, decodeJpeg])),
  ...Object.fromEntries([80, 81].map((n) => [`1.2.840.10008.1.2.4.${n}`, decodeJpegLs])),
  ...Object.fromEntries([90, 91, 92, 93].map((n) => [`1.2.840.10008.1.2.4.${n}`, decodeJpeg2000])),
  ...Object.fromEntries([201, 202, 203].map((n) => [`1.2.840.10008.1.2.4.${n}`, decodeHtj2k])),
};

/** Bytes of the largest decoded frame. A larger one is a whole slide, or has a wrong header. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024;

/** Tells whether frames in this transfer syntax can be decoded. */
export function canDecode(transferSyntax: string): boolean {
  return Object.hasOwn(DECODERS, transferSyntax);
}

/**
 * Decodes one frame in the calling thread.
 * @param encoded the frame from a source: native pixels, or the joined fragments of an encapsulated frame
 * @param transferSyntax UID
 * @throws {DamagedFile} when the bytes do not match transfer syntax and description, the frame is too large, or there
 * is no decoder
 */
export async function decodeFrame(
  encoded: Uint8Array,
  transferSyntax: string,
  pixels: PixelDescription,
): Promise<DecodedFrame> {
  return finishFrame(await decodeSamples(encoded, transferSyntax, pixels), pixels);
}

/**
 * As `decodeFrame`, without extracting the stored bits from their words.
 * @param keepYbr keeps JPEG in YBR_FULL if the data set announces it, instead of RGB
 */
export async function decodeSamples(
  encoded: Uint8Array,
  transferSyntax: string,
  pixels: PixelDescription,
  keepYbr = false,
): Promise<StreamSamples> {
  const decoder = canDecode(transferSyntax) ? DECODERS[transferSyntax] : undefined;
  if (!decoder) throw new DamagedFile(`There is no decoder for the transfer syntax ${transferSyntax}.`);
  checkDescription(pixels);
  if (encoded.length === 0) throw new DamagedFile('The frame is empty.');
  // Decoders rely on `slice` making a copy, which that of a Buffer does not.
  const plain = new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.length);
  return decoder(plain, pixels, keepYbr);
}

/** @throws {DamagedFile} for pixels that PS3.3 §C.7.6.3 does not allow, or a frame that is too large */
function checkDescription(pixels: PixelDescription): void {
  const { rows, columns, samplesPerPixel, bitsAllocated, bitsStored, highBit } = pixels;
  const within = (value: number, low: number, high: number) =>
    Number.isInteger(value) && value >= low && value <= high;
  const known =
    within(rows, 1, 65535) &&
    within(columns, 1, 65535) &&
    within(samplesPerPixel, 1, 4) &&
    [1, 8, 16, 32, 64].includes(bitsAllocated) &&
    within(bitsStored, 1, bitsAllocated) &&
    within(highBit, bitsStored - 1, bitsAllocated - 1);
  if (!known) throw new DamagedFile('The attributes that describe the pixels contradict each other.');
  if (bitsAllocated === 64 && !pixels.floating) throw new DamagedFile('There are no pixels of 64 bits.');
  const bytes = rows * columns * samplesPerPixel * Math.max(1, bitsAllocated / 8);
  if (bytes > MAX_FRAME_BYTES)
    throw new DamagedFile(`One frame of ${rows} × ${columns} pixels is too large to be decoded here.`);
}
