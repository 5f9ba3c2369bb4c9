import { number, numbers, text, type Instance } from '../../domain/instance.ts';
import { voiOf } from '../../domain/grey/voi.ts';
import type { Window } from '../port.ts';

/** A picture of an image in full size: a byte for each of red, green, blue and opacity, by rows. */
export interface Picture {
  width: number;
  height: number;
  pixels: Uint8ClampedArray<ArrayBuffer>;
}

/**
 * Returns true for an image that this draws like the engine does: grey, with square pixels and a linear window. All others
 * wait for the engine; so do PET images, whose window depends on their series.
 */
export function isPlainGrey(metadata: Instance, window?: Window): boolean {
  const is = (tag: string, ...values: (string | number | undefined)[]) =>
    values.includes(number(metadata, tag) ?? text(metadata, tag));
  const bits = number(metadata, '00280100');
  const stored = number(metadata, '00280101') ?? bits;
  return (
    is('00280002', 1, undefined) &&
    is('00280004', 'MONOCHROME1', 'MONOCHROME2') &&
    (bits === 8 || bits === 16) &&
    is('00280102', stored! - 1, undefined) &&
    !is('00080060', 'PT') &&
    // Tables in place of a rescale, and of a window.
    !('00283000' in metadata) &&
    (window !== undefined || (voiOf(metadata)?.function === 'LINEAR' && !('00283010' in metadata))) &&
    isSquare(metadata)
  );
}

/** Pixel Spacing, Pixel Aspect Ratio, or the spacing at the detector. */
function isSquare(metadata: Instance): boolean {
  const sides = ['00280030', '00280034', '00181164'].map((tag) => numbers(metadata, tag, 2)).find(Boolean);
  return !sides || Math.abs(sides[0]! / sides[1]! - 1) < 0.001;
}

/**
 * Draws an image for which `isPlainGrey` is true: rescale (PS3.3 §C.11.1), then the linear window (§C.11.2.1.2.1).
 * @param values stored values, by rows
 * @param window in place of the image's own
 */
export function greyImage(values: ArrayLike<number>, metadata: Instance, window?: Window): Picture {
  const [width, height] = [number(metadata, '00280011')!, number(metadata, '00280010')!];
  const slope = number(metadata, '00281053') || 1;
  const intercept = number(metadata, '00281052') ?? 0;
  const { centre, width: wide } = window ?? voiOf(metadata)!;
  const inverted = text(metadata, '00280004') === 'MONOCHROME1';
  // A window of one value divides darker from brighter ones.
  const range = Math.max(wide - 1, Number.EPSILON);
  const scale = (255 * slope) / range;
  const offset = (255 * (intercept - (centre - 0.5))) / range + 127.5;
  const pixels = new Uint8ClampedArray(4 * width * height);
  for (let at = 0, to = 0; to < pixels.length; at++, to += 4) {
    const grey = Math.min(Math.max(values[at]! * scale + offset, 0), 255);
    pixels[to] = pixels[to + 1] = pixels[to + 2] = inverted ? 255 - grey : grey;
    pixels[to + 3] = 255;
  }
  return { width, height, pixels };
}
