/** Positions of grids of pixels relative to each other. */
import type { ImagePoint, Plane } from '../space/geometry.ts';
import { cross, dot, minus, unit, type Vector } from '../space/vectors.ts';
import { nearestPoint, patientPoint } from '../volume/reference-lines.ts';
import type { Line, Matrix } from './overlay.ts';

/** A plane of pixels. */
export interface Grid extends Plane {
  /** Millimetres from column to column, and from row to row. */
  spacing: readonly [number, number];
}

/** Planes at a smaller angle are parallel: 0.1 degrees, half a millimetre at the edge of a large image. */
const PARALLEL_SINE = 0.0018;

export function normalOf({ row, column }: Plane): Vector {
  return unit(cross(row, column));
}

export function isParallel(a: Vector, b: Vector): boolean {
  return Math.hypot(...cross(a, b)) < PARALLEL_SINE;
}

/** Returns what brings columns and rows of one grid to those of another in a parallel plane; 0/0 is a centre in both. */
export function gridToGrid(from: Grid, to: Grid): Matrix {
  const place = (point: ImagePoint) => onGrid(to, patientPoint(from, point));
  const [start, right, down] = [place([0, 0]), place([1, 0]), place([0, 1])];
  return [
    right[0] - start[0],
    right[1] - start[1],
    down[0] - start[0],
    down[1] - start[1],
    start[0],
    start[1],
  ];
}

/** Returns the column and row of the point of a grid that is nearest to a point of the patient. */
export function onGrid(grid: Grid, point: Vector): ImagePoint {
  return nearestPoint(grid, point).point;
}

export function moved([a, b, c, d, e, f]: Matrix, line: Line): Line {
  return line.map(([x, y]): ImagePoint => [a * x + c * y + e, b * x + d * y + f]);
}

/** A number that changes evenly over an image: `start` + column × `right` + row × `down`. */
export interface Slope {
  start: number;
  right: number;
  down: number;
}

/** Returns how far the points of a grid are along a direction from an origin, in millimetres. */
export function slopeOf(grid: Grid, origin: Vector, direction: Vector): Slope {
  return {
    start: dot(minus(grid.position, origin), direction),
    right: dot(grid.row, direction) * grid.spacing[0],
    down: dot(grid.column, direction) * grid.spacing[1],
  };
}
