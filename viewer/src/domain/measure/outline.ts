/** Lines that are drawn by hand round an area. */
import type { ImagePoint } from '../space/geometry.ts';

/** So much of a line, at its beginning and at its end, may be drawn beyond the place where it closes. */
const BEYOND = 0.1;

/** Returns a line without what goes beyond the place where its end meets its beginning. */
export function closedLine(points: readonly ImagePoint[]): readonly ImagePoint[] {
  const most = Math.floor(points.length * BEYOND);
  for (let from = 0; from < most; from++)
    for (let to = points.length - 2; to >= points.length - 1 - most && to > from + 1; to--)
      if (cross([points[from]!, points[from + 1]!], [points[to]!, points[to + 1]!]))
        return points.slice(from + 1, to + 1);
  return points;
}

/** Returns true if a closed line crosses itself: what its area would be nobody knows. */
export function crossesItself(points: readonly ImagePoint[]): boolean {
  const edges = edgesOf(points);
  // The last edge ends where the first one begins.
  return edges.some((edge, at) =>
    edges.slice(at + 2, at === 0 ? -1 : undefined).some((other) => cross(edge, other)),
  );
}

/** Returns the area within a closed line, in pixels. */
export function areaWithin(points: readonly ImagePoint[]): number {
  return Math.abs(edgesOf(points).reduce((sum, [[a, b], [c, d]]) => sum + (a * d - c * b) / 2, 0));
}

/** Returns the parts of a row that are within a closed line, as columns from and to. */
export function partsWithin(points: readonly ImagePoint[], row: number): [from: number, to: number][] {
  const at = edgesOf(points)
    .filter(([[, b], [, d]]) => b <= row !== d <= row)
    .map(([[a, b], [c, d]]) => a + ((row - b) / (d - b)) * (c - a))
    .sort((one, other) => one - other);
  return at.flatMap((from, index) => (index % 2 === 0 ? [[from, at[index + 1]!]] : []));
}

type Edge = readonly [ImagePoint, ImagePoint];

function edgesOf(points: readonly ImagePoint[]): Edge[] {
  return points.map((point, at) => [point, points[(at + 1) % points.length]!]);
}

/** Returns true if each of two lines has its ends on both sides of the other; a point on a line is on one side of it. */
function cross([a, b]: Edge, [c, d]: Edge): boolean {
  return side(a, b, c) >= 0 !== side(a, b, d) >= 0 && side(c, d, a) >= 0 !== side(c, d, b) >= 0;
}

function side(from: ImagePoint, to: ImagePoint, point: ImagePoint): number {
  return (to[0] - from[0]) * (point[1] - from[1]) - (to[1] - from[1]) * (point[0] - from[0]);
}
