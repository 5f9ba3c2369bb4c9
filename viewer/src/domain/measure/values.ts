/** Values of pixels, and what they mean. */
import { items } from '../../../../schema/dicom/dicom.ts';
import { number, text, type Instance } from '../instance.ts';
import { paddingOf } from '../grey/padding.ts';
import type { Pixels } from '../grey/pixels.ts';
import type { ImagePoint } from '../space/geometry.ts';
import type { Kind } from './kinds.ts';
import { partsWithin } from './outline.ts';

export interface Statistics {
  /** Number of pixels. */
  count: number;
  mean: number;
  /** Standard deviation of these pixels (divided by their number); 0 for one. */
  deviation: number;
  minimum: number;
  maximum: number;
}

/** Values of a region or of one pixel. Colours and values without a known meaning are none. */
export type Values =
  { statistics: Statistics; unit: string | undefined } | { none: 'colour' | 'unknown' | 'outside' };

/** Returns the unit of the values of an image; undefined where they have none, or it is not known. */
export function valueUnit(metadata: Instance): string | undefined {
  const type = text(metadata, '00281054');
  if (type !== undefined) return type === 'HU' ? 'HU' : undefined;
  // CT means Hounsfield units where it does not say otherwise (PS3.3 §C.8.2.1).
  const isRescaled = number(metadata, '00281053') !== undefined;
  return text(metadata, '00080060') === 'CT' && isRescaled ? 'HU' : undefined;
}

/** Returns the values under a probe, or within a region: of all pixels whose centre is in it. */
export function valuesOf(
  kind: Kind,
  points: readonly ImagePoint[],
  { pixels, metadata }: { pixels: Pixels; metadata: Instance },
): Values | undefined {
  if (kind !== 'probe' && kind !== 'rectangle' && kind !== 'ellipse' && kind !== 'freehand') return undefined;
  if (pixels.samples !== 1) return { none: 'colour' };
  // Values by a table (PS3.3 §C.11.1.1.1) are not those that the engine gives.
  if (items(metadata, '00283000').length > 0) return { none: 'unknown' };
  const found = kind === 'freehand' ? within(points, pixels) : inside(kind, points, pixels);
  const statistics = statisticsOf(found, paddingOf(metadata));
  return statistics ? { statistics, unit: valueUnit(metadata) } : { none: 'outside' };
}

/** Yields what each pixel of a region means. */
function* inside(
  kind: 'probe' | 'rectangle' | 'ellipse',
  points: readonly ImagePoint[],
  { columns, rows, values, slope, intercept }: Pixels,
): Generator<number> {
  const [[a, b], [c, d]] = kind === 'probe' ? pixelAt(points[0]!) : [points[0]!, points[1]!];
  const [left, right, top, bottom] = [Math.min(a, c), Math.max(a, c), Math.min(b, d), Math.max(b, d)];
  const middle = [(left + right) / 2, (top + bottom) / 2] as const;
  const half = [(right - left) / 2, (bottom - top) / 2] as const;
  for (let row = Math.max(Math.ceil(top), 0); row <= Math.min(bottom, rows - 1); row++) {
    for (let column = Math.max(Math.ceil(left), 0); column <= Math.min(right, columns - 1); column++) {
      const [x, y] = [(column - middle[0]) / half[0], (row - middle[1]) / half[1]];
      if (kind === 'ellipse' && !(x * x + y * y <= 1)) continue;
      yield values[row * columns + column]! * slope + intercept;
    }
  }
}

/** Yields what each pixel within a closed line means. */
function* within(
  points: readonly ImagePoint[],
  { columns, rows, values, slope, intercept }: Pixels,
): Generator<number> {
  const heights = points.map(([, row]) => row);
  const last = Math.min(Math.max(...heights), rows - 1);
  for (let row = Math.max(Math.ceil(Math.min(...heights)), 0); row <= last; row++)
    for (const [from, to] of partsWithin(points, row))
      for (let column = Math.max(Math.ceil(from), 0); column <= Math.min(to, columns - 1); column++)
        yield values[row * columns + column]! * slope + intercept;
}

function pixelAt([column, row]: ImagePoint): [ImagePoint, ImagePoint] {
  const pixel: ImagePoint = [Math.round(column), Math.round(row)];
  return [pixel, pixel];
}

/** By Welford's method: sums of squares of large values lose their digits. */
function statisticsOf(
  values: Iterable<number>,
  isPadding: (value: number) => boolean,
): Statistics | undefined {
  let [count, mean, squares, minimum, maximum] = [0, 0, 0, Infinity, -Infinity];
  for (const value of values) {
    if (isPadding(value)) continue;
    count++;
    const before = value - mean;
    mean += before / count;
    squares += before * (value - mean);
    minimum = Math.min(minimum, value);
    maximum = Math.max(maximum, value);
  }
  return count === 0 ? undefined : { count, mean, deviation: Math.sqrt(squares / count), minimum, maximum };
}
