/** Planes of images in the patient's coordinate system (PS3.3 §C.7.6.2), in millimetres. */
import { numbers, type Instance } from '../instance.ts';
import { cross, dot, vectorOf, type Vector } from './vectors.ts';

export { dot, type Vector } from './vectors.ts';

/** The plane of an image: the centre of its first pixel, and the directions of its rows and columns (unit vectors). */
export interface Plane {
  position: Vector;
  row: Vector;
  column: Vector;
}

/** Column and row of an image; 0/0 is the centre of its first pixel (PS3.3 §C.7.6.2.1.1). */
export type ImagePoint = readonly [column: number, row: number];

export type Orientation = 'axial' | 'coronal' | 'sagittal';

/** Orientations that differ by no more are the same: scanners round, and write tilts of a few hundredths of a degree. */
const SAME_ORIENTATION_DEGREES = 1;
/** Positions that differ by no more are the same, in millimetres. */
export const SAME_POSITION_MM = 0.01;

const SAME_COSINE = Math.cos((SAME_ORIENTATION_DEGREES * Math.PI) / 180);
/** Tolerance of directions from unit length, and from a right angle to each other. */
const DIRECTION_TOLERANCE = 0.02;

/** Returns the plane of an image; undefined if it has none, or one that is no plane (zero or skew directions). */
export function planeOf(instance: Instance): Plane | undefined {
  const position = numbers(instance, '00200032', 3);
  const orientation = numbers(instance, '00200037', 6);
  if (!position || !orientation) return undefined;
  const row = vectorOf(orientation);
  const column = vectorOf(orientation.slice(3));
  const isUnit = (vector: Vector) => Math.abs(Math.hypot(...vector) - 1) <= DIRECTION_TOLERANCE;
  if (!isUnit(row) || !isUnit(column) || Math.abs(dot(row, column)) > DIRECTION_TOLERANCE) return undefined;
  return { position: vectorOf(position), row, column };
}

/** Returns the direction in which slices follow each other: the normal of the plane. */
export function normalOf({ row, column }: Plane): Vector {
  return cross(row, column);
}

/** Returns true if rows and columns of both planes have the same directions within `SAME_ORIENTATION_DEGREES`. */
export function sameOrientation(a: Plane, b: Plane): boolean {
  return dot(a.row, b.row) >= SAME_COSINE && dot(a.column, b.column) >= SAME_COSINE;
}

/** Returns the anatomical plane that is nearest. Patient axes: x to the left, y to the back, z to the head. */
export function nearestOrientation(plane: Plane): Orientation {
  const [x, y, z] = normalOf(plane).map(Math.abs) as [number, number, number];
  if (z >= x && z >= y) return 'axial';
  return y >= x ? 'coronal' : 'sagittal';
}
