import type { DicomJson } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { Picture } from './picture.ts';

/** `viewport=vw,vh[,sx,sy,sw,sh]`, PS3.18 §8.3.5.1.3: the size to fit into, and the region of the image in its pixels. */
export interface Viewport {
  width: number;
  height: number;
  region?: Region;
}

/** Part of an image in its pixels, from its upper left corner. Negative widths and heights mirror. */
export interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Attributes with spacings, the nearest to the patient first; DCMTK uses the same order. */
const SPACINGS = ['00280030', '00181164', '00182010', '00280034'];

/** Returns the height of a pixel as a multiple of its width, PS3.3 §10.7 and §C.7.6.3.1.7. */
export function pixelAspect(attributes: DicomJson): number {
  for (const tag of SPACINGS) {
    const [row, column] = (attributes[tag]?.Value ?? []).map(Number);
    if (row && column && row > 0 && column > 0) return row / column;
  }
  return 1;
}

/**
 * Returns the region of a viewport in whole pixels of an image; undefined for the whole image.
 * @throws Fault `invalid_request` if it is not within the image
 */
export function regionWithin(
  region: Region | undefined,
  image: { width: number; height: number },
): Region | undefined {
  if (!region) return undefined;
  const x = Math.round(region.x);
  const y = Math.round(region.y);
  const width = Math.round(region.width) || image.width - x;
  const height = Math.round(region.height) || image.height - y;
  if (
    width === 0 ||
    height === 0 ||
    x + Math.abs(width) > image.width ||
    y + Math.abs(height) > image.height
  ) {
    throw new Fault(
      'invalid_request',
      `The region of the viewport, sx,sy,sw,sh, has to lie within the image of ${image.width} × ${image.height} pixels.`,
    );
  }
  return { x, y, width, height };
}

/**
 * Returns the pixels between edges that are fractions of an image (PS3.18 §9.5.1.2.5), including every pixel that an
 * edge cuts.
 */
export function regionBetween(
  [left, upper, right, lower]: readonly [left: number, upper: number, right: number, lower: number],
  image: { width: number; height: number },
): Region {
  const [x, y] = [Math.floor(left * image.width), Math.floor(upper * image.height)];
  return { x, y, width: Math.ceil(right * image.width) - x, height: Math.ceil(lower * image.height) - y };
}

/** Cuts out a part of a picture, mirrored if its width or height is negative. */
export function cropped(picture: Picture, region: Region | undefined): Picture {
  if (!region) return picture;
  const { channels, data } = picture;
  const [width, height] = [Math.abs(region.width), Math.abs(region.height)];
  const part = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = (region.y + (region.height < 0 ? height - 1 - y : y)) * picture.width + region.x;
    for (let x = 0; x < width; x++) {
      const at = (from + (region.width < 0 ? width - 1 - x : x)) * channels;
      for (let channel = 0; channel < channels; channel++)
        part[(y * width + x) * channels + channel] = data[at + channel]!;
    }
  }
  return { width, height, channels, data: part };
}

/**
 * Returns the size of the shown picture: with square pixels, without loss in either axis; with a viewport as large as
 * fits.
 */
export function shownSize(
  { width, height }: { width: number; height: number },
  aspect: number,
  viewport?: { width: number; height: number },
): { width: number; height: number } {
  const [w, h] = aspect >= 1 ? [width, height * aspect] : [width / aspect, height];
  const scale = viewport ? Math.min(viewport.width / w, viewport.height / h) : 1;
  return { width: Math.max(1, Math.round(w * scale)), height: Math.max(1, Math.round(h * scale)) };
}
