/** Areas within contours of parallel planes: on an image in such a plane as they are drawn, on others as far as it cuts them. */
import { along, cross, dot, minus, unit, type Vector } from '../space/vectors.ts';
import type { Rectangle } from '../volume/reference-lines.ts';
import { isParallel, normalOf, onGrid, slopeOf, type Slope } from './affine.ts';
import type { Line } from './overlay.ts';
import { ringsOf } from './rings.ts';
import { EVEN, ROUNDING_MM } from './target.ts';

export interface Contour {
  kind: 'closed' | 'open' | 'point';
  /** Millimetres. */
  points: readonly Vector[];
  /** Thickness of what it stands for, millimetres. */
  slab: number | undefined;
}

/** Contours of one plane: what is within an odd number of them is inside. */
interface Layer {
  height: number;
  contours: readonly (readonly Vector[])[];
}

/** Layers above each other. */
interface Pile {
  normal: Vector;
  /** Of a layer, millimetres. */
  thickness: number;
  layers: readonly Layer[];
}

/** Of a contour alone that does not say how thick it is. Millimetres. */
const UNKNOWN_THICKNESS = 1;
/** Contours whose heights differ by less are in one plane: coordinates are rounded. */
const ONE_PLANE_MM = 0.1;
const ORIGIN: Vector = [0, 0, 0];

export class Areas {
  readonly #piles: readonly Pile[];

  constructor(contours: readonly Contour[]) {
    this.#piles = pilesOf(contours);
  }

  /** Returns rings on an image: an inner one is a hole. @param halfSlice contours that are farther are on other images */
  on(image: Rectangle, halfSlice: number): Line[] {
    return this.#piles.flatMap((pile) =>
      isParallel(pile.normal, normalOf(image)) ? within(pile, image, halfSlice) : across(pile, image),
    );
  }
}

function pilesOf(contours: readonly Contour[]): Pile[] {
  const piles: { normal: Vector; slab: number | undefined; all: Layer[] }[] = [];
  // The largest one knows the direction best: its numbers are rounded like those of the others.
  const bySize = contours
    .map(({ points, slab }) => ({ points, slab, area: areaOf(points) }))
    .toSorted((a, b) => Math.hypot(...b.area) - Math.hypot(...a.area));
  for (const { points, slab, area } of bySize) {
    if (Math.hypot(...area) <= 1e-9) continue;
    const normal = unit(area);
    let pile = piles.find((one) => isParallel(one.normal, normal) || isFlat(points, one.normal));
    if (!pile) piles.push((pile = { normal, slab, all: [] }));
    const middle = points.reduce((sum, point) => along(sum, point, 1 / points.length), ORIGIN);
    pile.all.push({ height: dot(middle, pile.normal), contours: [points] });
  }
  return piles.map(({ normal, slab, all }) => {
    const layers = layersOf(all.toSorted((a, b) => a.height - b.height));
    const gaps = layers.slice(1).map(({ height }, at) => height - layers[at]!.height);
    const gap = gaps.sort((a, b) => a - b)[gaps.length >> 1];
    return { normal, layers, thickness: gap ?? slab ?? UNKNOWN_THICKNESS };
  });
}

/** True if a contour lies in such a plane as far as its rounded numbers say: a small one does not know its direction. */
function isFlat(points: readonly Vector[], normal: Vector): boolean {
  const heights = points.map((point) => dot(point, normal));
  return Math.max(...heights) - Math.min(...heights) <= 2 * ONE_PLANE_MM;
}

/** @param sorted layers of one contour each, by height */
function layersOf(sorted: readonly Layer[]): Layer[] {
  const layers: Layer[] = [];
  for (const { height, contours } of sorted) {
    const last = layers.at(-1);
    if (last && height - last.height <= ONE_PLANE_MM)
      layers[layers.length - 1] = { ...last, contours: [...last.contours, ...contours] };
    else layers.push({ height, contours });
  }
  return layers;
}

/** Returns the normal of a closed line, twice as long as its area is large (Newell). */
function areaOf(points: readonly Vector[]): Vector {
  let sum = ORIGIN;
  for (let at = 1; at + 1 < points.length; at++) {
    const [one, other] = [minus(points[at]!, points[0]!), minus(points[at + 1]!, points[0]!)];
    sum = along(sum, cross(one, other), 1);
  }
  return sum;
}

/** The nearest layer: two of them would cancel each other. */
function within({ normal, layers }: Pile, image: Rectangle, halfSlice: number): Line[] {
  const height = dot(image.position, normal);
  const far = (layer: Layer) => Math.abs(layer.height - height);
  const nearest = layers.reduce((best, layer) => (far(layer) < far(best) ? layer : best));
  if (far(nearest) > halfSlice + ROUNDING_MM) return [];
  return nearest.contours.map((points) => points.map((point) => onGrid(image, point)));
}

/** A row, or a column, of an image on its way through the layers: `start` and `way` in their plane, by pixel. */
interface Scan {
  start: Flat;
  way: Flat;
  /** Height of its first pixel, and from one to the next. */
  height: number;
  rise: number;
}

type Flat = readonly [number, number];

/** The pixels of an image whose centres are inside; a layer reaches half of its thickness up and down. */
function across(pile: Pile, image: Rectangle): Line[] {
  const { normal, thickness } = pile;
  const values = new Uint8Array(image.columns * image.rows);
  // In the plane of a layer, and along its normal.
  const first = unit(cross(normal, normalOf(image)));
  const second = cross(normal, first);
  const axes = {
    x: slopeOf(image, ORIGIN, first),
    y: slopeOf(image, ORIGIN, second),
    z: slopeOf(image, ORIGIN, normal),
  };
  const flat = (point: Vector): Flat => [dot(point, first), dot(point, second)];
  const layers = pile.layers.map(({ height, contours }) => ({
    height,
    contours: contours.map((points) => points.map(flat)),
  }));
  // Along the direction in which heights change less, a line stays in a layer for longer.
  const byRows = Math.abs(axes.z.right) <= Math.abs(axes.z.down);
  const [lines, pixels] = byRows ? [image.rows, image.columns] : [image.columns, image.rows];
  for (let line = 0; line < lines; line++) {
    const scan = scanOf(axes, line, byRows);
    for (const { height, contours } of layers) {
      const range = rangeOf(scan, height, thickness, pixels);
      if (!range) continue;
      for (const [from, to] of insideOf(contours, scan)) {
        const last = Math.min(to, range[1]);
        for (let at = Math.ceil(Math.max(from, range[0])); at < last; at++)
          values[byRows ? line * image.columns + at : at * image.columns + line] = 1;
      }
    }
  }
  return ringsOf({ columns: image.columns, rows: image.rows, values });
}

function scanOf({ x, y, z }: Record<'x' | 'y' | 'z', Slope>, line: number, byRows: boolean): Scan {
  const [step, side] = byRows ? (['right', 'down'] as const) : (['down', 'right'] as const);
  return {
    start: [x.start + line * x[side], y.start + line * y[side]],
    way: [x[step], y[step]],
    height: z.start + line * z[side],
    rise: z[step],
  };
}

/** Returns the pixels of a line that are in a layer, from the first to before the last. */
function rangeOf(
  { height, rise }: Scan,
  layer: number,
  thickness: number,
  pixels: number,
): readonly [number, number] | undefined {
  const [low, high] = [layer - thickness / 2 - height, layer + thickness / 2 - height];
  if (Math.abs(rise) * pixels < ROUNDING_MM) return low <= EVEN && high > EVEN ? [0, pixels] : undefined;
  const [one, other] = [low / rise, high / rise];
  const range = [Math.max(Math.min(one, other), 0), Math.min(Math.max(one, other), pixels)] as const;
  return range[0] < range[1] ? range : undefined;
}

/** Returns the parts of a line that are within an odd number of contours, in pixels from and to. */
function insideOf(contours: readonly (readonly Flat[])[], { start, way }: Scan): [number, number][] {
  const length = way[0] ** 2 + way[1] ** 2;
  const side = ([x, y]: Flat) => way[0] * (y - start[1]) - way[1] * (x - start[0]);
  const crossings = contours.flatMap((points) => {
    const sides = points.map(side);
    return points.flatMap(([x, y], at) => {
      const next = (at + 1) % points.length;
      const [here, there] = [sides[at]!, sides[next]!];
      if (here < 0 === there < 0) return [];
      const part = here / (here - there);
      const [u, v] = [x + part * (points[next]![0] - x), y + part * (points[next]![1] - y)];
      return [((u - start[0]) * way[0] + (v - start[1]) * way[1]) / length];
    });
  });
  crossings.sort((a, b) => a - b);
  return crossings.flatMap((from, at): [number, number][] =>
    at % 2 === 0 && at + 1 < crossings.length ? [[from, crossings[at + 1]!]] : [],
  );
}
