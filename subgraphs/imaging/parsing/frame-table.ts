import { isPixelData } from '../dicom/part10/dataset.ts';
import { pixelLayout, type PixelLayout } from '../dicom/part10/pixels.ts';
import { describedPixels } from '../pixels/codecs/description.ts';
import { withParsed, type ParsedFile } from './open-file.ts';

/**
 * Finds the frames in a file, or in the inflated data set of a deflated file.
 * @returns undefined for an object without pixel data
 * @throws DamagedFile
 */
export function readFrameTable(file: ParsedFile): Promise<PixelLayout | undefined> {
  return withParsed(file, (parsed, budget) => {
    const element = parsed.elements.find(({ tag, length }) => isPixelData(tag) && length > 0);
    const pixels = element && describedPixels(parsed, budget);
    return pixels && pixelLayout(parsed, element, pixels);
  });
}
