/** Measurements as lines on the glass. All points are CSS pixels of the glass. */
import type { ImagePoint } from '../../domain/space/geometry.ts';
import type { Kind } from '../../domain/measure/kinds.ts';

type GlassPoint = readonly [x: number, y: number];
export type ToGlass = (point: ImagePoint) => GlassPoint | undefined;

const ELLIPSE_POINTS = 64;
const ARROW_HEAD = 12;
const CROSS = 8;

/** Returns the path of a measurement, as `d` of an SVG path. */
export function pathOf(kind: Kind, points: readonly ImagePoint[], toGlass: ToGlass): string {
  return outlines(kind, points, toGlass)
    .map((line) => `M${line.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join('L')}`)
    .join('');
}

/** Returns the lines of a measurement, each by its points. */
function outlines(kind: Kind, points: readonly ImagePoint[], toGlass: ToGlass): GlassPoint[][] {
  const drawn = (line: readonly ImagePoint[]) => line.map(toGlass).filter((one) => one !== undefined);
  const [first, second] = points;
  if (!first) return [];
  if (kind === 'probe') {
    const at = toGlass(first);
    return at ? crossAt(at) : [];
  }
  if (!second) return [];
  switch (kind) {
    case 'rectangle': {
      const corners: ImagePoint[] = [first, [second[0], first[1]], second, [first[0], second[1]], first];
      return [drawn(corners)];
    }
    case 'ellipse':
      return [drawn(ellipse(first, second))];
    case 'arrow': {
      const [tip, tail] = drawn(points);
      return tip && tail ? [[tail, tip], arrowHead(tip, tail)] : [];
    }
    default:
      return [drawn(points)];
  }
}

function ellipse([a, b]: ImagePoint, [c, d]: ImagePoint): ImagePoint[] {
  return Array.from({ length: ELLIPSE_POINTS + 1 }, (_, at): ImagePoint => {
    const angle = (2 * Math.PI * at) / ELLIPSE_POINTS;
    return [(a + c) / 2 + (Math.cos(angle) * (c - a)) / 2, (b + d) / 2 + (Math.sin(angle) * (d - b)) / 2];
  });
}

function arrowHead(tip: GlassPoint, tail: GlassPoint): GlassPoint[] {
  const angle = Math.atan2(tail[1] - tip[1], tail[0] - tip[0]);
  const side = (turn: number): GlassPoint => [
    tip[0] + ARROW_HEAD * Math.cos(angle + turn),
    tip[1] + ARROW_HEAD * Math.sin(angle + turn),
  ];
  return [side(0.45), tip, side(-0.45)];
}

/** A cross that leaves its middle free. */
export function crossAt([x, y]: GlassPoint): GlassPoint[][] {
  return [
    [[x - CROSS, y], [x - 3, y]], // prettier-ignore
    [[x + 3, y], [x + CROSS, y]], // prettier-ignore
    [[x, y - CROSS], [x, y - 3]], // prettier-ignore
    [[x, y + 3], [x, y + CROSS]], // prettier-ignore
  ];
}

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

const GAP = 16;
const EDGE = 4;

/**
 * Returns where a label stands: beside a region, or beside an end of lines, so that it does not cover what is measured.
 * Where no side has room it is moved into the glass.
 */
export function labelPlace(
  points: readonly GlassPoint[],
  label: { width: number; height: number },
  { isRegion, ...glass }: { isRegion: boolean; width: number; height: number },
): Box {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const besideOf = (x: number) => (isRegion ? (top + bottom) / 2 : ys[xs.indexOf(x)]!) - label.height / 2;
  const centre = (left + right) / 2 - label.width / 2;
  const places = [
    { left: right + GAP, top: besideOf(right) },
    { left: left - GAP - label.width, top: besideOf(left) },
    { left: centre, top: bottom + GAP },
    { left: centre, top: top - GAP - label.height },
  ];
  const hasRoom = (at: { left: number; top: number }) =>
    at.left >= EDGE &&
    at.top >= EDGE &&
    at.left + label.width <= glass.width - EDGE &&
    at.top + label.height <= glass.height - EDGE;
  const within = (at: number, size: number, most: number) => Math.max(Math.min(at, most - EDGE - size), EDGE);
  const found = places.find(hasRoom) ?? places[0]!;
  return {
    left: within(found.left, label.width, glass.width),
    top: within(found.top, label.height, glass.height),
    ...label,
  };
}
