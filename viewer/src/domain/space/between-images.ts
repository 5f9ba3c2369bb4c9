/** Points of one image on another one. */
import { number, type Instance } from '../instance.ts';
import { scaleOf } from '../measure/scale.ts';
import { planeOf, type ImagePoint } from './geometry.ts';
import { nearestPoint, patientPoint } from '../volume/reference-lines.ts';

/** Returns columns and rows of an image; undefined without a size. */
export function sizeOf(metadata: Instance): readonly [columns: number, rows: number] | undefined {
  const [columns, rows] = [number(metadata, '00280011'), number(metadata, '00280010')];
  return columns && rows ? [columns, rows] : undefined;
}

/** Returns the middle of an image of this size. */
export function middleOf([columns, rows]: readonly [number, number]): ImagePoint {
  return [(columns - 1) / 2, (rows - 1) / 2];
}

/** Returns the millimetres of the patient from column to column, and from row to row; undefined if they are unknown. */
export function millimetresOf(metadata: Instance): readonly [across: number, down: number] | undefined {
  const size = sizeOf(metadata);
  const scale = size && scaleOf(metadata, [middleOf(size)]);
  return scale?.unit === 'mm' ? [scale.across, scale.down] : undefined;
}

/**
 * Returns the point of an image that belongs to a point of another one: the nearest one of the patient where both images
 * have shared positions, else as many millimetres from the middle; without millimetres as large a part of the image.
 * @param shared true if positions in both images mean the same place
 * @returns undefined for images without a size
 */
export function pointOn(
  from: Instance,
  to: Instance,
  { point, shared }: { point: ImagePoint; shared: boolean },
): ImagePoint | undefined {
  const [size, otherSize] = [sizeOf(from), sizeOf(to)];
  if (!size || !otherSize) return undefined;
  const [mm, otherMm] = [millimetresOf(from), millimetresOf(to)];
  const [plane, otherPlane] = [planeOf(from), planeOf(to)];
  if (shared && mm && otherMm && plane && otherPlane) {
    const place = patientPoint({ ...plane, spacing: mm }, point);
    return nearestPoint({ ...otherPlane, spacing: otherMm }, place).point;
  }
  const [middle, otherMiddle] = [middleOf(size), middleOf(otherSize)];
  const at = (axis: 0 | 1) => {
    const part = mm && otherMm ? mm[axis] / otherMm[axis] : otherSize[axis] / size[axis];
    return otherMiddle[axis] + (point[axis] - middle[axis]) * part;
  };
  return [at(0), at(1)];
}
