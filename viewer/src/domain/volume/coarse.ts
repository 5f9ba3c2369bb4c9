/** Planes of a volume before all its slices are there: which slices come first, and where planes are not whole. */
import type { Orientation } from '../space/geometry.ts';
import type { Slab } from '../series/stacks.ts';
import { axesOf, gridOf, indexOf, slabRange } from './volume-planes.ts';
import type { VolumeGeometry } from './volume.ts';

/** Every 8th slice comes first, then every 4th, every 2nd, all. */
const STRIDES = [8, 4, 2, 1];
/** The first ones lie in the middle of their neighbours. */
const OFFSET = 4;
/** The last step of `loadingStep`. */
export const WHOLE = STRIDES.length;

/** Returns the indexes of slices in the order in which they are loaded. */
export function loadingOrder(count: number): number[] {
  const order = STRIDES.flatMap((stride) => within(stride, count));
  return [...new Set(order)];
}

function within(stride: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => at).filter((at) => at % stride === OFFSET % stride);
}

/**
 * Returns how fine planes can be: 0 while too few slices are there, then one more with each stride, `WHOLE` at the end.
 * @param tried slices that are there, and those that have failed
 */
export function loadingStep({ ready, tried, all }: { ready: number; tried: number; all: number }): number {
  const counts = STRIDES.map((stride) => Math.max(within(stride, all).length, 1));
  return ready < counts[0]! ? 0 : counts.filter((count) => tried >= count).length;
}

/** A rectangle of an image: columns and rows, in which 0/0 is the centre of the first pixel. */
export interface Gap {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/**
 * Returns the parts of a plane's image that are values of missing slices.
 * @param missing indexes of slices, ascending
 */
export function gapsOf(
  volume: VolumeGeometry,
  { plane, slab, index }: { plane: Orientation; slab?: Slab | undefined; index: number },
  missing: readonly number[],
): Gap[] {
  const { right, down, through } = axesOf(volume, plane);
  const { columns, rows, spacing } = gridOf(volume, plane);
  const whole = { left: -0.5, top: -0.5, right: columns - 0.5, bottom: rows - 0.5 };
  if (through.axis === 2) {
    const at = indexOf(volume, through, index);
    const { from, to } = slabRange(volume, { axis: 2, at, thickness: slab?.thickness ?? 0 });
    return missing.some((one) => one >= from && one <= to) ? [whole] : [];
  }
  const across = right.axis === 2;
  const step = volume.spacing[2] / spacing;
  const { sign } = across ? right : down;
  const [least, most] = across ? [whole.left, whole.right] : [whole.top, whole.bottom];
  return runsOf(missing).map(([first, last]) => {
    const ends = sign > 0 ? [first, last] : [volume.size[2] - 1 - last, volume.size[2] - 1 - first];
    const from = Math.max((ends[0]! - 0.5) * step, least);
    const to = Math.min((ends[1]! + 0.5) * step, most);
    return across ? { ...whole, left: from, right: to } : { ...whole, top: from, bottom: to };
  });
}

/** Returns the first and last of numbers that follow each other. */
function runsOf(numbers: readonly number[]): [first: number, last: number][] {
  const runs: [number, number][] = [];
  for (const one of numbers) {
    const run = runs.at(-1);
    if (run && one === run[1] + 1) run[1] = one;
    else runs.push([one, one]);
  }
  return runs;
}
