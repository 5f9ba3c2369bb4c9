/** Lengths, angles and areas of measurements. */
import type { Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import type { Kind } from './kinds.ts';
import { areaWithin, crossesItself } from './outline.ts';
import { scaleOf, shapeOf, type Scale } from './scale.ts';

export type Size =
  | { what: 'length'; value: number; unit: Scale['unit'] }
  /** The longer one first. */
  | { what: 'diameters'; value: number; short: number; unit: Scale['unit'] }
  /** In the square of the unit. */
  | { what: 'area'; value: number; unit: Scale['unit'] }
  /** In degrees, from 0 to 180. */
  | { what: 'angle'; value: number };

/** Returns the size of a measurement; undefined for kinds without one, angles without arms, and lines that cross themselves. */
export function sizeOf(kind: Kind, points: readonly ImagePoint[], metadata: Instance): Size | undefined {
  switch (kind) {
    case 'length': {
      const scale = scaleOf(metadata, points);
      return { what: 'length', value: lengthOf(points[0]!, points[1]!, scale), unit: scale.unit };
    }
    case 'diameters': {
      const scale = scaleOf(metadata, points);
      const [one, other] = [lengthOf(points[0]!, points[1]!, scale), lengthOf(points[2]!, points[3]!, scale)];
      const [value, short] = [Math.max(one, other), Math.min(one, other)];
      return { what: 'diameters', value, short, unit: scale.unit };
    }
    case 'angle': {
      const [from, vertex, to] = points as [ImagePoint, ImagePoint, ImagePoint];
      return angleOf([vertex, from], [vertex, to], metadata);
    }
    case 'cobb': {
      const [a, b, c, d] = points as [ImagePoint, ImagePoint, ImagePoint, ImagePoint];
      const angle = angleOf([a, b], [c, d], metadata);
      // Between two lines, whichever way each was drawn.
      return angle && { ...angle, value: Math.min(angle.value, 180 - angle.value) };
    }
    case 'rectangle':
    case 'ellipse': {
      const scale = scaleOf(metadata, points);
      const [width, height] = between(points[0]!, points[1]!, scale).map(Math.abs) as [number, number];
      const part = kind === 'ellipse' ? Math.PI / 4 : 1;
      return { what: 'area', value: width * height * part, unit: scale.unit };
    }
    case 'freehand': {
      const { across, down, unit } = scaleOf(metadata, points);
      return crossesItself(points)
        ? undefined
        : { what: 'area', value: areaWithin(points) * across * down, unit };
    }
    default:
      return undefined;
  }
}

type Line = readonly [from: ImagePoint, to: ImagePoint];

/** Returns the angle between the directions of two lines. */
function angleOf(one: Line, other: Line, metadata: Instance): (Size & { what: 'angle' }) | undefined {
  const shape = shapeOf(metadata, [...one, ...other]);
  const [a, b] = [between(...one, shape), between(...other, shape)];
  if (Math.hypot(...a) === 0 || Math.hypot(...b) === 0) return undefined;
  const radians = Math.atan2(Math.abs(a[0] * b[1] - a[1] * b[0]), a[0] * b[0] + a[1] * b[1]);
  return { what: 'angle', value: (radians * 180) / Math.PI };
}

function lengthOf(from: ImagePoint, to: ImagePoint, scale: Scale): number {
  return Math.hypot(...between(from, to, scale));
}

function between(
  [fromColumn, fromRow]: ImagePoint,
  [toColumn, toRow]: ImagePoint,
  { across, down }: Pick<Scale, 'across' | 'down'>,
): [number, number] {
  return [(toColumn - fromColumn) * across, (toRow - fromRow) * down];
}
