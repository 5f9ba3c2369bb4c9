/** Shapes of overlays as paths of SVG, in pixels of the image. */
import type { ImagePoint } from '../../domain/space/geometry.ts';
import type { Line, Matrix, Shape } from '../../domain/overlays/overlay.ts';

const ROUND_POINTS = 64;

export interface Paths {
  /** Filled, and outlined. */
  areas: string;
  lines: string;
}

/** @param size of the image, for what is drawn on it as a whole */
export function pathsOf(shapes: readonly Shape[], size: { columns: number; rows: number }): Paths {
  const paths = { areas: '', lines: '' };
  for (const shape of shapes) {
    const isFilled = shape.kind === 'area' || ('filled' in shape && shape.filled);
    paths[isFilled ? 'areas' : 'lines'] += pathOf(shape, size);
  }
  return paths;
}

/** Points and texts have the same size at every zoom: they are drawn on the glass. */
function pathOf(shape: Shape, { columns, rows }: { columns: number; rows: number }): string {
  switch (shape.kind) {
    case 'area':
      return shape.rings.map((ring) => drawn(ring, true)).join('');
    case 'line':
      return drawn(shape.points, shape.closed ?? shape.filled ?? false);
    case 'circle': {
      const { centre, edge } = shape;
      const radius = Math.hypot(edge[0] - centre[0], edge[1] - centre[1]);
      return drawn(round(centre, [radius, 0], [0, radius]), true);
    }
    case 'ellipse': {
      const [a, b, c, d] = shape.ends;
      const centre: ImagePoint = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
      const half = (from: ImagePoint, to: ImagePoint): ImagePoint => [
        (to[0] - from[0]) / 2,
        (to[1] - from[1]) / 2,
      ];
      return drawn(round(centre, half(a, b), half(c, d)), true);
    }
    case 'crossed':
      return `M-.5-.5L${columns - 0.5} ${rows - 0.5}M${columns - 0.5}-.5L-.5 ${rows - 0.5}`;
    default:
      return '';
  }
}

function drawn(line: Line, closed: boolean): string {
  const points = line.map(([x, y]) => `${rounded(x)} ${rounded(y)}`);
  return points.length === 0 ? '' : `M${points.join('L')}${closed ? 'Z' : ''}`;
}

const rounded = (value: number) => Math.round(value * 100) / 100;

function round(centre: ImagePoint, one: ImagePoint, other: ImagePoint): Line {
  return Array.from({ length: ROUND_POINTS }, (_, at): ImagePoint => {
    const angle = (2 * Math.PI * at) / ROUND_POINTS;
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    return [centre[0] + cosine * one[0] + sine * other[0], centre[1] + cosine * one[1] + sine * other[1]];
  });
}

/** Returns the matrix from pixels of an image to the glass; undefined while there is no image, or no place for it. */
export function matrixOf(toGlass: (point: ImagePoint) => ImagePoint | undefined): Matrix | undefined {
  const [start, right, down] = [toGlass([0, 0]), toGlass([1, 0]), toGlass([0, 1])];
  // A glass that is hidden has no size, and its points are no numbers.
  if (!start || !right || !down || ![...start, ...right, ...down].every(Number.isFinite)) return undefined;
  return [right[0] - start[0], right[1] - start[1], down[0] - start[0], down[1] - start[1], ...start];
}

export function placed([a, b, c, d, e, f]: Matrix, [x, y]: ImagePoint): ImagePoint {
  return [a * x + c * y + e, b * x + d * y + f];
}
