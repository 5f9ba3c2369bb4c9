import { Tag, TransferSyntax, text } from '../../../schema/dicom/dicom.ts';
import { isPixelData, type Element } from '../dicom/part10/dataset.ts';
import type { DicomFile } from '../dicom/part10/file.ts';
import { pixelLayout, type PixelLayout } from '../dicom/part10/pixels.ts';
import { canTranscode, rewrite, type Rewritten } from '../dicom/part10/transcode.ts';
import { describedPixels } from './codecs/description.ts';
import { canDecode } from './codecs/frame.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import { NATIVE } from './codecs/native.ts';
import { canCompress, encoderTakes, encoderTakesColours } from './transcode-pixels.ts';
import { dicomJson } from '../dicom/part10/json.ts';

/** Tells whether a file in one transfer syntax can be sent in another. */
export function canGive(from: string, to: string): boolean {
  return from === to || canTranscode(from, to) || (canDecode(from) && (NATIVE.has(to) || canCompress(to)));
}

/** A plan for transcoding a file. */
export interface TranscodePlan {
  transferSyntax: string;
  /** Transfer syntax of the stored frames. */
  from: string;
  /** Position and description of the frames, if they must be decoded. */
  frames?: { layout: PixelLayout; pixels: PixelDescription };
}

/**
 * Plans how a file is transcoded. An object without pixels, or with pixels that the encoder does not take (1 and 32
 * bits, floats), is sent in Explicit VR Little Endian.
 * @param file read to its end
 * @param to a transfer syntax that `canGive` allows
 * @throws DamagedFile
 */
export function planTranscoding(file: DicomFile, to: string): TranscodePlan {
  const { element, pixels } = imageOf(file);
  const fits = !canCompress(to) || (pixels && isCompressible(file, pixels, to));
  const transferSyntax = fits ? to : TransferSyntax.ExplicitVRLittleEndian;
  const decoded = element?.fragments !== undefined || canCompress(transferSyntax);
  if (!pixels || !decoded) return { transferSyntax, from: file.transferSyntax };
  const layout = pixelLayout(file, element!, pixels);
  const native = layout.kind === 'native';
  const from = native ? TransferSyntax.ExplicitVRLittleEndian : file.transferSyntax;
  return { transferSyntax, from, frames: { layout, pixels } };
}

/**
 * Rewrites a file in another transfer syntax, without its pixels if they are replaced.
 * @param photometricInterpretation of replaced pixels
 */
export function rewriteFile(
  file: DicomFile,
  transferSyntax: string,
  photometricInterpretation?: string,
): Rewritten {
  const { element, pixels } = imageOf(file);
  if (photometricInterpretation === undefined || !element || !pixels) return rewrite(file, transferSyntax);
  const values = changedValues(file, element, pixels, photometricInterpretation);
  // Encoders get only the stored bits.
  if (canCompress(transferSyntax) && pixels.highBit !== pixels.bitsStored - 1)
    values.set(Tag.HighBit, us(pixels.bitsStored - 1));
  return rewrite(file, transferSyntax, values);
}

function imageOf(file: DicomFile): { element?: Element | undefined; pixels?: PixelDescription | undefined } {
  const element = file.elements.find(({ tag, length }) => isPixelData(tag) && length > 0);
  return { element, pixels: element && describedPixels(file) };
}

/** Tells whether the encoder takes the pixels. */
function isCompressible({ transferSyntax }: DicomFile, pixels: PixelDescription, to: string): boolean {
  // YBR_FULL and YBR_PARTIAL are decoded to RGB only from lossy JPEG. YBR_ICT and YBR_RCT always are.
  const decoded = LOSSY_JPEG.test(transferSyntax) ? 'RGB' : pixels.photometricInterpretation;
  return encoderTakes(pixels, to) && encoderTakesColours(decoded, to);
}

const us = (value: number) => ({ vr: 'US', value: Buffer.from(Uint16Array.of(value).buffer) });

/** Returns changed attributes that describe the new pixels, PS3.3 §C.7.6.3. */
function changedValues(
  file: DicomFile,
  element: Element,
  pixels: PixelDescription,
  photometricInterpretation: string,
): Map<string, { vr: string; value: Buffer } | undefined> {
  const values = new Map<string, { vr: string; value: Buffer } | undefined>();
  if (photometricInterpretation !== pixels.photometricInterpretation) {
    const even = photometricInterpretation.length % 2 ? ' ' : '';
    values.set(Tag.PhotometricInterpretation, {
      vr: 'CS',
      value: Buffer.from(photometricInterpretation + even, 'latin1'),
    });
  }
  if (pixels.samplesPerPixel > 1) values.set(Tag.PlanarConfiguration, us(0));
  // Offset tables and the length of encapsulated pixels, PS3.3 §C.7.6.3.1.8.
  for (const tag of ['7FE00001', '7FE00002', '7FE00003']) values.set(tag, undefined);
  // A compressed icon, which may be removed (PS3.3 §C.7.6.1.1.6).
  const icon = file.elements.find(({ tag }) => tag === '00880200');
  if (icon?.items?.some(({ elements }) => elements.some(({ fragments }) => fragments)))
    values.set(icon.tag, undefined);
  for (const [tag, value] of lossyAttributes(file, element, pixels)) values.set(tag, value);
  return values;
}

/** Transfer syntaxes that are always lossy: baseline, extended and progressive JPEG. */
const LOSSY_JPEG = /^1\.2\.840\.10008\.1\.2\.4\.5[0135]$/;

const LOSSY = '00282110';
const RATIO = '00282112';
const METHOD = '00282114';

/**
 * Returns the attributes that pixels must have after lossy compression, also when they are decoded
 * (PS3.3 §C.7.6.1.1.5), without those that the file already has.
 */
function lossyAttributes(
  { bytes, elements, encoding, transferSyntax }: DicomFile,
  { fragments }: Element,
  { rows, columns, samplesPerPixel, bitsAllocated, numberOfFrames }: PixelDescription,
): Map<string, { vr: string; value: Buffer }> {
  const values = new Map<string, { vr: string; value: Buffer }>();
  if (!LOSSY_JPEG.test(transferSyntax)) return values;
  const stated = dicomJson(
    bytes,
    elements.filter(({ tag }) => tag.startsWith('002821')),
    encoding,
  );
  const put = (tag: string, vr: string, value: string) => {
    if (text(stated, tag) === undefined || tag === LOSSY)
      values.set(tag, { vr, value: Buffer.from(value.length % 2 ? `${value} ` : value, 'latin1') });
  };
  const native = (rows * columns * samplesPerPixel * bitsAllocated * numberOfFrames) / 8;
  const compressed = fragments?.lengths.subarray(1).reduce((sum, length) => sum + length, 0) ?? 0;
  if (text(stated, LOSSY) !== '01') put(LOSSY, 'CS', '01');
  put(RATIO, 'DS', (native / compressed).toFixed(2));
  put(METHOD, 'CS', 'ISO_10918_1');
  return values;
}
