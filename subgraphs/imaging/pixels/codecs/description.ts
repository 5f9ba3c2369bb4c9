import { number, text, Tag, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import type { Budget } from '../../dicom/part10/budget.ts';
import type { DicomFile } from '../../dicom/part10/file.ts';
import { dicomJson } from '../../dicom/part10/json.ts';
import type { PixelDescription } from '../../dicom/pixel-description.ts';

/** Returns the pixel description of a file that was read to its end. @throws OverBudget */
export function describedPixels(
  { bytes, elements, encoding }: DicomFile,
  budget?: Budget,
): PixelDescription | undefined {
  const wanted = ({ tag }: { tag: string }) => /^(0028|7FE0|60..(0010|3000))/.test(tag);
  return pixelDescription(dicomJson(bytes, elements.filter(wanted), encoding, budget));
}

/**
 * Returns the Image Pixel attributes (PS3.3 §C.7.6.3) of a data set, with defaults for missing ones.
 * @returns undefined when the data set describes no pixels
 */
export function pixelDescription(dataset: DicomJson): PixelDescription | undefined {
  const rows = number(dataset, Tag.Rows);
  const columns = number(dataset, Tag.Columns);
  const bitsAllocated = number(dataset, Tag.BitsAllocated);
  if (!rows || !columns || !bitsAllocated) return undefined;
  const bitsStored = number(dataset, Tag.BitsStored) ?? bitsAllocated;
  const samplesPerPixel = number(dataset, Tag.SamplesPerPixel) ?? 1;
  const floating = dataset[Tag.FloatPixelData]
    ? 'float'
    : dataset[Tag.DoubleFloatPixelData]
      ? 'double'
      : undefined;
  const overlays = Object.keys(dataset).filter(
    (tag) => /^60..0010$/.test(tag) && !dataset[`${tag.slice(0, 4)}3000`],
  );
  return {
    rows,
    columns,
    samplesPerPixel,
    bitsAllocated,
    bitsStored,
    highBit: number(dataset, Tag.HighBit) ?? bitsStored - 1,
    pixelRepresentation: number(dataset, Tag.PixelRepresentation) === 1 ? 1 : 0,
    planarConfiguration: samplesPerPixel > 1 && number(dataset, Tag.PlanarConfiguration) === 1 ? 1 : 0,
    photometricInterpretation:
      text(dataset, Tag.PhotometricInterpretation) ?? (samplesPerPixel === 3 ? 'RGB' : 'MONOCHROME2'),
    numberOfFrames: Math.max(1, number(dataset, Tag.NumberOfFrames) ?? 1),
    ...(floating && { floating }),
    ...(overlays.length > 0 && { overlaysBeside: true }),
  };
}
