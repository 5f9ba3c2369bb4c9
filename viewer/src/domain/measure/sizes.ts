/** Lengths, angles and areas of measurements. */
import type { Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import type { Kind } from './kinds.ts';
import { scaleOf, shapeOf, type Scale } from './scale.ts';

export type Size =
  | { what: 'length'; value: number; unit: Scale['unit'] }
  /** In the square of the unit. */
  | { what: 'area'; value: number; unit: Scale['unit'] }
  /** In degrees, from 0 to 180. */
  | { what: 'angle'; value: number };

/** Returns the size of a measurement; undefined for kinds without one, and for angles without arms. */
export function sizeOf(kind: Kind, points: readonly ImagePoint[], metadata: Instance): Size | undefined {
  switch (kind) {
    case 'length': {
      const scale = scaleOf(metadata, points);
      return {
        what: 'length',
        value: Math.hypot(...between(points[0]!, points[1]!, scale)),
        unit: scale.unit,
      };
    }
    case 'angle':
      return angleOf(points, metadata);
    case 'rectangle':
    case 'ellipse': {
      const scale = scaleOf(metadata, points);
      const [width, height] = between(points[0]!, points[1]!, scale).map(Math.abs) as [number, number];
      const part = kind === 'ellipse' ? Math.PI / 4 : 1;
      return { what: 'area', value: width * height * part, unit: scale.unit };
    }
    default:
      return undefined;
  }
}

function angleOf([from, vertex, to]: readonly ImagePoint[], metadata: Instance): Size | undefined {
  const shape = shapeOf(metadata, [from!, vertex!, to!]);
  const a = between(vertex!, from!, shape);
  const b = between(vertex!, to!, shape);
  if (Math.hypot(...a) === 0 || Math.hypot(...b) === 0) return undefined;
  const radians = Math.atan2(Math.abs(a[0] * b[1] - a[1] * b[0]), a[0] * b[0] + a[1] * b[1]);
  return { what: 'angle', value: (radians * 180) / Math.PI };
}

function between(
  [fromColumn, fromRow]: ImagePoint,
  [toColumn, toRow]: ImagePoint,
  { across, down }: Pick<Scale, 'across' | 'down'>,
): [number, number] {
  return [(toColumn - fromColumn) * across, (toRow - fromRow) * down];
}
