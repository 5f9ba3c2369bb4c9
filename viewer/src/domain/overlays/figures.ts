/** Shapes as presentation states and reports write them: a graphic type and points (PS3.3 §C.10.5.1.2, §C.18.6.1.2). */
import type { ImagePoint } from '../space/geometry.ts';
import type { Shape } from './overlay.ts';

/** Points between two of an interpolated line. */
const BETWEEN = 12;

/**
 * Returns the shapes of a graphic; undefined for a type that is not known, and for points that make no such shape. Points that
 * are more than a shape has are left out.
 */
export function figureOf(
  type: string | undefined,
  points: readonly ImagePoint[],
  filled = false,
): readonly Shape[] | undefined {
  const [a, b, c, d] = points;
  if (!a || !points.flat().every(Number.isFinite)) return undefined;
  if (type === 'POINT' || type === 'MULTIPOINT') return points.map((at) => ({ kind: 'point', at }));
  if (!b) return undefined;
  switch (type) {
    case 'POLYLINE':
      return [{ kind: 'line', points, filled }];
    case 'POLYGON':
      return [{ kind: 'line', points, closed: true, filled }];
    case 'INTERPOLATED':
      return [{ kind: 'line', points: smooth(points), filled }];
    case 'CIRCLE':
      return [{ kind: 'circle', centre: a, edge: b, filled }];
    case 'ELLIPSE':
      return c && d ? [{ kind: 'ellipse', ends: [a, b, c, d], filled }] : undefined;
    default:
      return undefined;
  }
}

/** Returns points of a smooth line through all points, by Catmull and Rom. One that ends where it begins is smooth there, too. */
function smooth(points: readonly ImagePoint[]): ImagePoint[] {
  const last = points.length - 1;
  const isClosed = points[0]!.every((value, axis) => value === points[last]![axis]);
  const at = (index: number): ImagePoint =>
    isClosed ? points[(index + last) % last]! : points[Math.min(Math.max(index, 0), last)]!;
  const lines = points.slice(0, -1).flatMap((_, index) => {
    const [before, from, to, after] = [at(index - 1), at(index), at(index + 1), at(index + 2)];
    return Array.from({ length: BETWEEN }, (_, step): ImagePoint => {
      const t = step / BETWEEN;
      const along = (axis: 0 | 1) =>
        from[axis] +
        (t / 2) *
          (to[axis] -
            before[axis] +
            t * (2 * before[axis] - 5 * from[axis] + 4 * to[axis] - after[axis]) +
            t * t * (3 * (from[axis] - to[axis]) + after[axis] - before[axis]));
      return [along(0), along(1)];
    });
  });
  return [...lines, points[last]!];
}

/** Returns the pairs of a list of numbers; undefined if one is left over. */
export function pairs(values: readonly unknown[] = []): ImagePoint[] | undefined {
  if (values.length % 2 === 1) return undefined;
  return Array.from({ length: values.length / 2 }, (_, at): ImagePoint => [
    Number(values[2 * at]),
    Number(values[2 * at + 1]),
  ]);
}
