/** Measurements as the figures of DICOM (PS3.3 §C.18.6.1, §C.10.5.1.2), and back. */
import type { Instance } from '../instance.ts';
import { isComplete, type Kind } from '../measure/kinds.ts';
import type { Measurement } from '../measure/measurement.ts';
import { sizeOf } from '../measure/sizes.ts';
import type { ImagePoint } from '../space/geometry.ts';
import { of } from './content.ts';

export interface Figure {
  type: 'POINT' | 'POLYLINE' | 'ELLIPSE';
  points: readonly ImagePoint[];
}

/** Returns the figures of a measurement; of two diameters the longer one first. */
export function figuresOf(
  { kind, points }: Pick<Measurement, 'kind' | 'points'>,
  metadata: Instance,
): Figure[] {
  const [a, b] = points as [ImagePoint, ImagePoint];
  const line = (...all: readonly ImagePoint[]): Figure => ({ type: 'POLYLINE', points: all });
  switch (kind) {
    case 'probe':
      return [{ type: 'POINT', points: [a] }];
    case 'rectangle':
      return [line(a, [b[0], a[1]], b, [a[0], b[1]], a)];
    case 'ellipse':
      return [{ type: 'ELLIPSE', points: axesOf(a, b) }];
    case 'freehand':
      return [line(...points, a)];
    case 'cobb':
      return [line(...points.slice(0, 2)), line(...points.slice(2))];
    case 'diameters': {
      const lines = [points.slice(0, 2), points.slice(2)];
      const [one = 0, other = 0] = lines.map((ends) => sizeOf('length', ends, metadata)?.value);
      return (one >= other ? lines : lines.toReversed()).map((ends) => line(...ends));
    }
    default:
      return [line(...points)];
  }
}

/** Returns the ends of the longer axis of an ellipse between two corners, and those of the shorter. */
function axesOf([a, b]: ImagePoint, [c, d]: ImagePoint): ImagePoint[] {
  const [x, y] = [(a + c) / 2, (b + d) / 2];
  const across: ImagePoint[] = [[a, y], [c, y]]; // prettier-ignore
  const down: ImagePoint[] = [[x, b], [x, d]]; // prettier-ignore
  return Math.abs(c - a) >= Math.abs(d - b) ? [...across, ...down] : [...down, ...across];
}

/** Returns the points of a measurement whose figures are these; undefined for figures of another kind. */
export function pointsOf(kind: Kind, figures: readonly Figure[]): ImagePoint[] | undefined {
  const all = figures.flatMap(({ points }) => points);
  const [first] = all;
  if (!first || !all.flat().every(Number.isFinite)) return undefined;
  const corners = (): ImagePoint[] => {
    const [columns, rows] = [all.map(([column]) => column), all.map(([, row]) => row)];
    return [
      [Math.min(...columns), Math.min(...rows)],
      [Math.max(...columns), Math.max(...rows)],
    ];
  };
  const points =
    kind === 'rectangle' || kind === 'ellipse' ? corners() : kind === 'freehand' ? all.slice(0, -1) : all;
  return isComplete(kind, points.length) ? points : undefined;
}

/** Returns points as Graphic Data: 0/0 is the outer corner of the first pixel. */
export function graphicOf({ type, points }: Figure): Instance {
  return {
    '00700022': of('FL', ...points.flatMap(([column, row]) => [column + 0.5, row + 0.5])),
    '00700023': of('CS', type),
  };
}
