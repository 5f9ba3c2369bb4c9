/**
 * Planes through a volume, along its own axes: on the plane of the acquisition each original image comes back unchanged,
 * and all other values lie between two voxels of one line. The planes are stacks of images that nobody has stored.
 */
import type { StackFrame } from '../grey/frames.ts';
import type { Orientation } from '../space/geometry.ts';
import { number, type Instance } from '../instance.ts';
import type { Coarse, Reformatted, Slab, Stack } from '../series/stacks.ts';
import { frameId } from '../study.ts';
import { along, dot, minus, type Vector } from '../space/vectors.ts';
import type { VolumeGeometry } from './volume.ts';

export const PLANES: readonly Orientation[] = ['axial', 'coronal', 'sagittal'];

/** An axis of the volume, in its own direction (1) or against it (-1). */
export interface Direction {
  axis: 0 | 1 | 2;
  sign: 1 | -1;
}

/** The position of a plane in its volume. */
export interface PlaneAxes {
  /** On the screen. */
  right: Direction;
  down: Direction;
  /** From image to image. */
  through: Direction;
}

/** The grid of pixels of a plane: square ones, as near to each other as the nearest voxels. */
export interface PlaneGrid extends PlaneAxes {
  columns: number;
  rows: number;
  /** Images. */
  count: number;
  /** Millimetres between the centres of pixels. */
  spacing: number;
}

/** The directions that people expect: right, down, and from image to image. Patient axes: left, back, head. */
const EXPECTED: Record<Orientation, readonly [Vector, Vector, Vector]> = {
  axial: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, -1],
  ],
  coronal: [
    [1, 0, 0],
    [0, 0, -1],
    [0, 1, 0],
  ],
  sagittal: [
    [0, 1, 0],
    [0, 0, -1],
    [1, 0, 0],
  ],
};
/** The axis of the patient that each plane looks along. */
const LOOKS_ALONG: Record<Orientation, number> = { sagittal: 0, coronal: 1, axial: 2 };
const ORDERS = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const;

/** Returns the plane in which the images were acquired. */
export function nativePlane(volume: VolumeGeometry): Orientation {
  return PLANES.find((plane) => axesOf(volume, plane).through.axis === 2)!;
}

/** Returns the axes of a plane. Images of the acquired plane keep their order. */
export function axesOf(volume: VolumeGeometry, plane: Orientation): PlaneAxes {
  const nearest = patientAxes(volume);
  const [right, down, through] = EXPECTED[plane].map((expected): Direction => {
    const axis = nearest[expected.findIndex((component) => component !== 0)]!;
    return { axis, sign: dot(volume.axes[axis], expected) < 0 ? -1 : 1 };
  }) as [Direction, Direction, Direction];
  return { right, down, through: through.axis === 2 ? { axis: 2, sign: 1 } : through };
}

/** Returns for each axis of the patient the axis of the volume that is nearest to it; each has another one. */
function patientAxes({ axes }: VolumeGeometry): readonly (0 | 1 | 2)[] {
  const fits = ORDERS.map((order) =>
    order.reduce<number>((sum, axis, at) => sum + Math.abs(axes[axis][at]!), 0),
  );
  return ORDERS[fits.indexOf(Math.max(...fits))]!;
}

/** Returns the degrees between a plane and the anatomical one whose name it has. */
export function tiltOf(volume: VolumeGeometry, plane: Orientation): number {
  const direction = volume.axes[axesOf(volume, plane).through.axis];
  const cosine = Math.min(Math.abs(direction[LOOKS_ALONG[plane]]!), 1);
  return (Math.acos(cosine) * 180) / Math.PI;
}

export function gridOf(volume: VolumeGeometry, plane: Orientation): PlaneGrid {
  const axes = axesOf(volume, plane);
  const [across, downwards] = [axes.right.axis, axes.down.axis];
  const spacing = Math.min(volume.spacing[across], volume.spacing[downwards]);
  // The last pixel lies on the last voxel or before it.
  const pixels = (axis: 0 | 1 | 2) =>
    Math.floor(((volume.size[axis] - 1) * volume.spacing[axis]) / spacing + 1e-6) + 1;
  return {
    ...axes,
    columns: pixels(across),
    rows: pixels(downwards),
    count: volume.size[axes.through.axis],
    spacing,
  };
}

/** Returns the index along an axis of the volume that an image of a plane has. */
export function indexOf({ size }: VolumeGeometry, { axis, sign }: Direction, image: number): number {
  return sign > 0 ? image : size[axis] - 1 - image;
}

/** Returns the slices of a slab, from the first to the last, of those that the volume has. */
export function slabRange(
  volume: VolumeGeometry,
  { axis, at, thickness }: { axis: 0 | 1 | 2; at: number; thickness: number },
): { from: number; to: number } {
  const slices = Math.max(Math.round(thickness / volume.spacing[axis]), 1);
  const from = at - ((slices - 1) >> 1);
  return { from: Math.max(from, 0), to: Math.min(from + slices - 1, volume.size[axis] - 1) };
}

/** Attributes of one image, or of its pixels, that planes of its volume do not have. */
const OF_ONE_IMAGE = [
  '00080008',
  '00080016',
  '00080018',
  '0008002A',
  '00080032',
  '00080033',
  '00180050',
  '00189074',
  '00200013',
  '00201041',
  '00280008',
  '00280034',
  '00280106',
  '00280107',
  '00280120',
];

export interface PlaneOptions {
  volume: VolumeGeometry;
  /** Unique to the volume. */
  key: string;
  plane: Orientation;
  slab?: Slab | undefined;
  /** The stack of the volume. */
  source: Stack;
  /** Set while slices are missing. */
  coarse?: Coarse | undefined;
}

/** Returns the images of a plane, each with the place that it has in the patient and 16 bits a pixel. */
export function planeStack(options: PlaneOptions): Stack {
  const { volume, plane, slab, source, key, coarse } = options;
  const grid = gridOf(volume, plane);
  const reformatted: Reformatted = { plane, ...(slab && { slab }), ...(coarse && { coarse }) };
  // Each state of the volume has images of its own.
  const state = [...(slab ? [slab.mode, slab.thickness] : []), ...(coarse ? [coarse.ready] : [])];
  const name = [key, plane, ...state].join('.');
  const shared = sharedMetadata(options, grid);
  const corner = cornerOf(volume, grid);
  const frames = Array.from({ length: grid.count }, (_, index): StackFrame => {
    const step = alongAxis(volume, grid.through, index * volume.spacing[grid.through.axis]);
    const position = along(corner, step, 1);
    const { study, series } = source.frames[0]!.name;
    const frame = { study, series, instance: name, frame: index + 1 };
    return {
      id: frameId(frame),
      name: frame,
      metadata: { ...shared, '00200032': { vr: 'DS', Value: position } },
      bytes: 2 * grid.rows * grid.columns,
    };
  });
  return { key: name, frames, spacing: [grid.spacing, grid.spacing], reformatted };
}

function sharedMetadata({ volume, source }: PlaneOptions, grid: PlaneGrid): Instance {
  const original = source.frames[source.frames.length >> 1]!.metadata;
  const kept = Object.fromEntries(Object.entries(original).filter(([tag]) => !OF_ONE_IMAGE.includes(tag)));
  const numbers = (...Value: number[]) => ({ vr: 'DS', Value });
  const [row, column] = [grid.right, grid.down].map((direction) => alongAxis(volume, direction, 1));
  return {
    ...kept,
    '00080008': { vr: 'CS', Value: ['DERIVED', 'SECONDARY', 'REFORMATTED'] },
    '00200037': numbers(...row!, ...column!),
    '00280010': numbers(grid.rows),
    '00280011': numbers(grid.columns),
    '00280030': numbers(grid.spacing, grid.spacing),
    '00280100': numbers(16),
    '00280101': numbers(16),
    '00280102': numbers(15),
    ...rescaleOf(source),
  };
}

/** Returns the rescale of the planes where slices have their own. */
function rescaleOf(stack: Stack): Instance {
  const { slope, intercept } = volumeRescale(stack);
  const isCommon = stack.frames.every(({ metadata }) => {
    const own = rescaleOfImage(metadata);
    return own.slope === slope && own.intercept === intercept;
  });
  if (isCommon) return {};
  return { '00281053': { vr: 'DS', Value: [slope] }, '00281052': { vr: 'DS', Value: [intercept] } };
}

/** Meaning of stored values: `value × slope + intercept` (PS3.3 §C.11.1). */
interface Rescale {
  slope: number;
  intercept: number;
}

export function rescaleOfImage(metadata: Instance): Rescale {
  return { slope: number(metadata, '00281053') || 1, intercept: number(metadata, '00281052') ?? 0 };
}

/**
 * Returns the one rescale of a volume, whose slices may have their own: no value is smaller than it can store, nor finer than
 * needed.
 */
export function volumeRescale({ frames }: Stack): Rescale {
  const all = frames.map(({ metadata }) => rescaleOfImage(metadata));
  return {
    slope: Math.max(...all.map(({ slope }) => slope)),
    intercept: Math.min(...all.map(({ intercept }) => intercept)),
  };
}

/** Points in the patient at which another volume is read: those of a plane's image, for each slice of its slab. */
export interface SampleGrid {
  /** Of the first pixel. Millimetres, as all of it. */
  origin: Vector;
  /** From pixel to pixel to the right and down, and from slice to slice. */
  steps: readonly [Vector, Vector, Vector];
  /** Columns, rows, slices. */
  size: readonly [number, number, number];
  /** Of several slices. */
  mode: Slab['mode'];
}

/** Returns the points of an image of a plane. @param index from 0 */
export function sampleGridOf(
  volume: VolumeGeometry,
  { plane, slab, index }: { plane: Orientation; slab?: Slab | undefined; index: number },
): SampleGrid {
  const grid = gridOf(volume, plane);
  const { axis } = grid.through;
  const at = indexOf(volume, grid.through, index);
  const { from, to } = slabRange(volume, { axis, at, thickness: slab?.thickness ?? 0 });
  const through = alongAxis(volume, { axis, sign: 1 }, volume.spacing[axis]);
  const first = indexOf(volume, grid.through, 0);
  return {
    origin: along(cornerOf(volume, grid), through, from - first),
    steps: [alongAxis(volume, grid.right, grid.spacing), alongAxis(volume, grid.down, grid.spacing), through],
    size: [grid.columns, grid.rows, to - from + 1],
    mode: slab?.mode ?? 'mip',
  };
}

/** Returns the same points in voxels of a volume: 0/0/0 is the centre of its first. */
export function inVoxels({ origin, axes, spacing }: VolumeGeometry, grid: SampleGrid): SampleGrid {
  const toVoxels = (vector: Vector): Vector => [
    dot(vector, axes[0]) / spacing[0],
    dot(vector, axes[1]) / spacing[1],
    dot(vector, axes[2]) / spacing[2],
  ];
  const [right, down, through] = grid.steps;
  return {
    ...grid,
    origin: toVoxels(minus(grid.origin, origin)),
    steps: [toVoxels(right), toVoxels(down), toVoxels(through)],
  };
}

/** Returns the centre of the first pixel of the first image. */
function cornerOf({ origin, axes, size, spacing }: VolumeGeometry, grid: PlaneGrid): Vector {
  return [grid.right, grid.down, grid.through].reduce<Vector>((corner, { axis, sign }) => {
    const far = (size[axis] - 1) * spacing[axis];
    return sign > 0 ? corner : along(corner, axes[axis], far);
  }, origin);
}

function alongAxis({ axes }: VolumeGeometry, { axis, sign }: Direction, length: number): Vector {
  return along([0, 0, 0], axes[axis], sign * length);
}
