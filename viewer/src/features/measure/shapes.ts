/** Measurements as lines on the glass. All points are CSS pixels of the glass. */
import type { ImagePoint } from '../../domain/space/geometry.ts';
import type { Kind } from '../../domain/measure/kinds.ts';
import type { Measurement } from '../../domain/measure/measurement.ts';
import type { GlassPoint } from '../../ui/controls/labels.ts';

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

/** Returns the points beside which a measurement is labelled: of an arrow its tail, of others their outline. */
export function shapeOf({ kind, points }: Measurement, toGlass: ToGlass): GlassPoint[] {
  return kind === 'arrow' ? onGlass(points.slice(1), toGlass) : outlines(kind, points, toGlass).flat();
}

/** Returns where points are on the glass, those that are there. */
export function onGlass(points: readonly ImagePoint[], toGlass: ToGlass): GlassPoint[] {
  return points.map(toGlass).filter((one) => one !== undefined);
}

/** Returns the lines of a measurement, each by its points. */
function outlines(kind: Kind, points: readonly ImagePoint[], toGlass: ToGlass): GlassPoint[][] {
  const drawn = (line: readonly ImagePoint[]) => onGlass(line, toGlass);
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
    case 'freehand':
      return [drawn([...points, first])];
    case 'ellipse':
      return [drawn(ellipse(first, second))];
    case 'cobb':
    case 'diameters':
      return [drawn(points.slice(0, 2)), drawn(points.slice(2))].filter((line) => line.length === 2);
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
