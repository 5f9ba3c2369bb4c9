/** Whether the images of a stack make a volume, and where it lies. */
import { planeOf, type Plane } from '../space/geometry.ts';
import { number, numbers, text, type Instance } from '../instance.ts';
import type { Stack } from '../series/stacks.ts';
import { along, cross, dot, minus, unit, type Vector } from '../space/vectors.ts';

/** A grid of voxels. Its axes: along a row, along a column, and through the slices in the order of the stack. */
export interface VolumeGeometry {
  /** Centre of the first voxel, in millimetres of the patient's coordinate system. */
  origin: Vector;
  /** Unit vectors. */
  axes: readonly [Vector, Vector, Vector];
  /** Voxels along each axis. */
  size: readonly [number, number, number];
  /** Millimetres between the centres of voxels along each axis. */
  spacing: readonly [number, number, number];
  /** Frame of Reference UID, PS3.3 §C.7.4.1. */
  frameOfReference: string;
}

/** Why images make no volume. `image` (from 1) is the first that does not fit. */
export interface NoVolume {
  reason:
    | 'few'
    | 'colour'
    /** Position, orientation or pixel spacing is missing. */
    | 'place'
    /** Pixels of the image have another size than those of the first. */
    | 'spacing'
    | 'orientation'
    | 'frame-of-reference'
    /** The distance to the next image is another than elsewhere: an image is missing, or the spacing changes. */
    | 'distance'
    /** Images lie beside each other's normal, as those of a tilted gantry do. */
    | 'shifted'
    | 'size';
  image?: number;
}

const LEAST_SLICES = 3;
/** Distances of slices that differ by no more are equal. */
const SAME_DISTANCE = 0.01;
/** Positions are written with two decimals at times; millimetres. */
const ROUNDING_MM = 0.011;
/** Directions that differ by no more are the same: 0.1 degrees, or half a millimetre at the edge of a large image. */
const SAME_DIRECTION = 0.0018;
/** Images may lie beside the common normal by this part of a pixel. */
const SAME_LINE = 0.5;
/** Larger ones are left to workstations. Bytes, two for each voxel. */
const MOST_BYTES = 512 * 1024 * 1024;

/** Returns the volume of a stack, or why it has none. */
export function volumeOf({ frames, spacing }: Stack): VolumeGeometry | NoVolume {
  if (frames.length < LEAST_SLICES) return { reason: 'few' };
  const all = frames.map(({ metadata }) => metadata);
  if (!all.every(isGrey)) return { reason: 'colour' };
  const planes = all.map(planeOf);
  const placeless = planes.indexOf(undefined);
  if (placeless >= 0) return { reason: 'place', image: placeless + 1 };
  if (!spacing) return spacingGap(all);
  const frameOfReference = text(all[0]!, '00200052');
  const other = all.findIndex((one) => text(one, '00200052') !== frameOfReference);
  if (other >= 0 || frameOfReference === undefined)
    return { reason: 'frame-of-reference', ...(other >= 0 && { image: other + 1 }) };
  const line = lineOf(planes as Plane[], spacing);
  if ('reason' in line) return line;
  const size = [number(all[0]!, '00280011')!, number(all[0]!, '00280010')!, frames.length] as const;
  if (2 * size[0] * size[1] * size[2] > MOST_BYTES) return { reason: 'size' };
  return {
    origin: planes[0]!.position,
    axes: line.axes,
    size,
    // Pixel Spacing gives the distance of rows first.
    spacing: [spacing[1], spacing[0], line.distance],
    frameOfReference,
  };
}

/** Says why images have no common spacing. */
function spacingGap(all: readonly Instance[]): NoVolume {
  const first = numbers(all[0]!, '00280030', 2);
  const image = all.findIndex(
    (one) => numbers(one, '00280030', 2)?.some((size, at) => size !== first?.[at]) ?? true,
  );
  return first && image > 0 ? { reason: 'spacing', image: image + 1 } : { reason: 'place' };
}

/** True if there is no volume. */
export function isNoVolume(found: VolumeGeometry | NoVolume): found is NoVolume {
  return 'reason' in found;
}

/** Returns the axes of slices that lie one behind the other at equal distances, in millimetres. */
function lineOf(
  planes: readonly Plane[],
  spacing: readonly [number, number],
): (Pick<VolumeGeometry, 'axes'> & { distance: number }) | NoVolume {
  const [first, last] = [planes[0]!, planes.at(-1)!];
  const turned = planes.findIndex((plane) => !sameDirections(plane, first));
  if (turned >= 0) return { reason: 'orientation', image: turned + 1 };
  const row = unit(first.row);
  const normal = unit(cross(row, first.column));
  // A right angle to the row, where the metadata are rounded.
  const column = cross(normal, row);
  const through =
    dot(minus(last.position, first.position), normal) < 0 ? along([0, 0, 0], normal, -1) : normal;
  const places = planes.map(({ position }) => dot(minus(position, first.position), through));
  const steps = places.slice(1).map((place, at) => place - places[at]!);
  const usual = steps.toSorted((a, b) => a - b)[steps.length >> 1]!;
  const tolerance = Math.max(SAME_DISTANCE * usual, ROUNDING_MM);
  const uneven = steps.findIndex((step) => Math.abs(step - usual) > tolerance);
  if (uneven >= 0 || usual <= tolerance) return { reason: 'distance', image: Math.max(uneven, 0) + 1 };
  const beside = planes.findIndex(({ position }, at) => {
    const off = minus(position, along(first.position, through, places[at]!));
    return Math.hypot(...off) > SAME_LINE * Math.min(...spacing);
  });
  if (beside >= 0) return { reason: 'shifted', image: beside + 1 };
  return { axes: [row, column, through], distance: places.at(-1)! / (planes.length - 1) };
}

function sameDirections(a: Plane, b: Plane): boolean {
  const isSame = (one: Vector, other: Vector) => Math.hypot(...minus(one, other)) <= SAME_DIRECTION;
  return isSame(a.row, b.row) && isSame(a.column, b.column);
}

/** True for one sample of 8 or 16 bits in which higher values are brighter, as in CT, MR and PET. */
function isGrey(metadata: Instance): boolean {
  const samples = number(metadata, '00280002') ?? 1;
  const bits = number(metadata, '00280100');
  return samples === 1 && text(metadata, '00280004') === 'MONOCHROME2' && (bits === 8 || bits === 16);
}
