/** Images that lie in the same patient: where one cuts another, and which image of a stack is at a point. */
import { planeOf, type ImagePoint, type Plane } from '../space/geometry.ts';
import { number, numbers, text, type Instance } from '../instance.ts';
import type { Stack } from '../series/stacks.ts';
import { along, cross, dot, minus, unit, type Vector } from '../space/vectors.ts';

/** The rectangle that an image covers in the patient. */
export interface Rectangle extends Plane {
  /** Frame of Reference UID: positions of other ones are not comparable (PS3.3 §C.7.4.1). */
  frameOfReference: string;
  columns: number;
  rows: number;
  /** Millimetres from column to column, and from row to row. */
  spacing: readonly [number, number];
}

/** Planes at a smaller angle have no line that says anything. */
const PARALLEL_DEGREES = 1;
const PARALLEL_SINE = Math.sin((PARALLEL_DEGREES * Math.PI) / 180);

/** Returns the rectangle of an image; undefined where its place is unknown. */
export function rectangleOf(metadata: Instance): Rectangle | undefined {
  const plane = planeOf(metadata);
  const spacing = numbers(metadata, '00280030', 2);
  const frameOfReference = text(metadata, '00200052');
  const [columns, rows] = [number(metadata, '00280011'), number(metadata, '00280010')];
  if (!plane || !spacing || frameOfReference === undefined || !columns || !rows) return undefined;
  if (spacing.some((one) => one <= 0)) return undefined;
  // Pixel Spacing gives the distance of rows first.
  return { ...plane, frameOfReference, columns, rows, spacing: [spacing[1]!, spacing[0]!] };
}

/** Returns the point of the patient that a point of the image shows, in millimetres. */
export function patientPoint(
  { position, row, column, spacing }: Plane & Pick<Rectangle, 'spacing'>,
  point: ImagePoint,
): Vector {
  return along(along(position, row, point[0] * spacing[0]), column, point[1] * spacing[1]);
}

/** Returns the point of the image that is nearest to a point of the patient, and how far it is from the image's plane. */
export function nearestPoint(
  { position, row, column, spacing }: Plane & Pick<Rectangle, 'spacing'>,
  point: Vector,
): { point: ImagePoint; distance: number } {
  const from = minus(point, position);
  return {
    point: [dot(from, row) / spacing[0], dot(from, column) / spacing[1]],
    distance: Math.abs(dot(from, unit(cross(row, column)))),
  };
}

/**
 * Returns the line in which another image cuts this one, inside both of them.
 * @returns two points of this image; undefined where they do not meet, are parallel, or lie in other frames of reference
 */
export function referenceLine(
  here: Rectangle,
  other: Rectangle,
): readonly [ImagePoint, ImagePoint] | undefined {
  if (here.frameOfReference !== other.frameOfReference) return undefined;
  const normal = unit(cross(here.row, here.column));
  if (Math.hypot(...cross(normal, unit(cross(other.row, other.column)))) < PARALLEL_SINE) return undefined;
  const corners = cornersOf(other);
  const heights = corners.map((corner) => dot(minus(corner, here.position), normal));
  const crossings = corners.flatMap((corner, at) => {
    const next = (at + 1) % corners.length;
    const [height, nextHeight] = [heights[at]!, heights[next]!];
    if (height < 0 === nextHeight < 0) return [];
    return [along(corner, minus(corners[next]!, corner), height / (height - nextHeight))];
  });
  if (crossings.length < 2) return undefined;
  const [start, end] = crossings.map((crossing) => nearestPoint(here, crossing).point);
  return clip(start!, end!, [here.columns, here.rows]);
}

/** Corners in the order in which they follow each other along the edge: outer corners of the outer pixels. */
function cornersOf(rectangle: Rectangle): Vector[] {
  const [right, bottom] = [rectangle.columns - 0.5, rectangle.rows - 0.5];
  const corners: ImagePoint[] = [
    [-0.5, -0.5],
    [right, -0.5],
    [right, bottom],
    [-0.5, bottom],
  ];
  return corners.map((corner) => patientPoint(rectangle, corner));
}

/** Returns the part of a line that is inside an image (Liang and Barsky); undefined if none is. */
function clip(
  start: ImagePoint,
  end: ImagePoint,
  size: readonly [number, number],
): readonly [ImagePoint, ImagePoint] | undefined {
  const way = [end[0] - start[0], end[1] - start[1]] as const;
  let [enters, leaves] = [0, 1];
  for (const axis of [0, 1] as const) {
    const [least, most] = [-0.5 - start[axis], size[axis] - 0.5 - start[axis]];
    if (way[axis] === 0) {
      if (least > 0 || most < 0) return undefined;
      continue;
    }
    const [one, other] = [least / way[axis], most / way[axis]];
    enters = Math.max(enters, Math.min(one, other));
    leaves = Math.min(leaves, Math.max(one, other));
  }
  if (enters >= leaves) return undefined;
  const at = (part: number): ImagePoint => [start[0] + part * way[0], start[1] + part * way[1]];
  return [at(enters), at(leaves)];
}

/** Positions of the images of a stack along their normal. A stack never changes. */
const places = new WeakMap<Stack, { normal: Vector; places: readonly number[] } | undefined>();

/** Returns the index of the image that is nearest to a point of the patient; undefined where the stack has no place. */
export function nearestImage(stack: Stack, point: Vector, frameOfReference: string): number | undefined {
  const first = stack.frames[0];
  if (!first || text(first.metadata, '00200052') !== frameOfReference) return undefined;
  if (!places.has(stack)) places.set(stack, placesOf(stack));
  const known = places.get(stack);
  if (!known) return undefined;
  const wanted = dot(point, known.normal);
  const distances = known.places.map((place) => Math.abs(place - wanted));
  return distances.indexOf(Math.min(...distances));
}

function placesOf(stack: Stack): { normal: Vector; places: readonly number[] } | undefined {
  const planes = stack.frames.map(({ metadata }) => planeOf(metadata));
  if (!planes[0] || planes.includes(undefined)) return undefined;
  const normal = unit(cross(planes[0].row, planes[0].column));
  return { normal, places: planes.map((plane) => dot(plane!.position, normal)) };
}
