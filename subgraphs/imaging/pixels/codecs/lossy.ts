import { text } from '../../../../schema/dicom/dicom.ts';
import type { Element } from '../../dicom/part10/dataset.ts';
import type { DicomFile } from '../../dicom/part10/file.ts';
import { dicomJson } from '../../dicom/part10/json.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';

/** Transfer syntaxes that are always lossy: baseline, extended and progressive JPEG. */
export const LOSSY_JPEG = /^1\.2\.840\.10008\.1\.2\.4\.5[0135]$/;

const LOSSY = '00282110';
const RATIO = '00282112';
const METHOD = '00282114';

/**
 * Returns the attributes that pixels must have after lossy compression, also when they are decoded
 * (PS3.3 §C.7.6.1.1.5), without those that the file already has.
 */
export function lossyAttributes(
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
