/** The meaning of pointers and keys on the glass for measuring. Pure. */
import type { ImagePoint } from '../../domain/space/geometry.ts';

type GlassPoint = readonly [x: number, y: number];

/** A pointer that moved less has not moved: it has set one point, and the next one is set by another press. */
const STILL_PX = 6;

export function hasMoved(from: GlassPoint, to: GlassPoint): boolean {
  return Math.hypot(to[0] - from[0], to[1] - from[1]) > STILL_PX;
}

const ARROWS: Readonly<Record<string, GlassPoint>> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
};
const FAR = 10;

/**
 * Returns a point of the image one pixel farther in the direction that an arrow key has on the glass, 10 pixels with
 * Shift; undefined for other keys.
 */
export function movedByKey(
  point: ImagePoint,
  { key, shiftKey }: { key: string; shiftKey: boolean },
  view: {
    toGlass(image: ImagePoint): GlassPoint | undefined;
    toImage(glass: GlassPoint): ImagePoint | undefined;
  },
): ImagePoint | undefined {
  const direction = ARROWS[key];
  const from = view.toGlass(point);
  const to = direction && from && view.toImage([from[0] + direction[0], from[1] + direction[1]]);
  if (!to) return undefined;
  const [columns, rows] = [to[0] - point[0], to[1] - point[1]];
  const length = Math.max(Math.abs(columns), Math.abs(rows));
  const step = (shiftKey ? FAR : 1) / length;
  return length > 0 ? [point[0] + columns * step, point[1] + rows * step] : undefined;
}

/** Returns the index of the point that is nearest to a place on the glass. */
export function nearestPoint(points: readonly (GlassPoint | undefined)[], [x, y]: GlassPoint): number {
  const distances = points.map((point) => (point ? Math.hypot(point[0] - x, point[1] - y) : Infinity));
  return distances.indexOf(Math.min(...distances));
}
