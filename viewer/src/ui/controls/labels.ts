/** Places of labels, so that none covers another one or an end of a line. All values are CSS pixels of the glass. */

export type GlassPoint = readonly [x: number, y: number];

/** A shape, and what its label says. */
export interface Labelled {
  lines: readonly string[];
  /** Points of the shape: corners, ends of lines, or its outline. */
  shape: readonly GlassPoint[];
  /** Points that stay free of all labels. */
  ends: readonly GlassPoint[];
}

interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface Label extends Box {
  lines: readonly string[];
  /** The point at which the shape and the line to its label meet. */
  anchor: GlassPoint;
}

type Glass = Pick<Box, 'width' | 'height'>;

export const LINE_HEIGHT = 17;
const CHARACTER = 7.9;
/** From the shape, then so much farther each time. */
const DISTANCES = Array.from({ length: 12 }, (_, nth) => 16 + nth * 20);
const EDGE = 4;
const BETWEEN = 2;
/** The ring of an end, and a little more. */
const END = 9;
const DIRECTIONS = [[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, 1], [1, -1], [-1, -1]] as const; // prettier-ignore

/**
 * Returns the places of labels in their order; undefined for one without words. Each takes the first free place of eight
 * round its shape, and of eight farther away where none is free. What has no room at all is moved into the glass.
 */
export function placeLabels(all: readonly Labelled[], glass: Glass): (Label | undefined)[] {
  const ends = all.flatMap((one) => one.ends);
  const placed: Label[] = [];
  return all.map(({ lines, shape }) => {
    if (lines.length === 0 || shape.length === 0) return undefined;
    const wrapped = lines.flatMap((line) => wrap(line, Math.floor((glass.width - 2 * EDGE) / CHARACTER)));
    const places = placesRound(shape, wrapped);
    const isFree = (box: Box) =>
      !placed.some((other) => overlap(box, other)) && !ends.some((end) => covers(box, end));
    const moved = places.map((place) => moveInto(place, glass));
    const fits = (place: Label, at: number) => place.left === moved[at]!.left && place.top === moved[at]!.top;
    const found =
      places.find((place, at) => fits(place, at) && isFree(place)) ?? moved.find(isFree) ?? moved[0]!;
    placed.push(found);
    return found;
  });
}

/** Returns the places round a shape, the nearest first. */
function placesRound(shape: readonly GlassPoint[], lines: readonly string[]): Label[] {
  const width = Math.max(...lines.map((line) => line.length)) * CHARACTER;
  const height = lines.length * LINE_HEIGHT;
  return DISTANCES.flatMap((distance) =>
    DIRECTIONS.map(([x, y]): Label => {
      const anchor = farthest(shape, [x, y]);
      const left = anchor[0] + x * (distance + width / 2) - width / 2;
      const top = anchor[1] + y * (distance + height / 2) - height / 2;
      return { lines, left, top, width, height, anchor };
    }),
  );
}

/** Returns the point of a shape that is farthest in a direction; of several the middle. */
function farthest(shape: readonly GlassPoint[], [x, y]: GlassPoint): GlassPoint {
  const along = shape.map((point) => point[0] * x + point[1] * y);
  const most = along.reduce((one, other) => Math.max(one, other));
  const far = shape.filter((_, at) => along[at]! > most - 0.5);
  const middle = (axis: 0 | 1) =>
    (Math.min(...far.map((point) => point[axis])) + Math.max(...far.map((point) => point[axis]))) / 2;
  return [middle(0), middle(1)];
}

function moveInto(place: Label, glass: Glass): Label {
  const within = (at: number, size: number, most: number) => Math.max(Math.min(at, most - EDGE - size), EDGE);
  return {
    ...place,
    left: within(place.left, place.width, glass.width),
    top: within(place.top, place.height, glass.height),
  };
}

function overlap(a: Box, b: Box): boolean {
  return (
    a.left < b.left + b.width + BETWEEN &&
    b.left < a.left + a.width + BETWEEN &&
    a.top < b.top + b.height + BETWEEN &&
    b.top < a.top + a.height + BETWEEN
  );
}

function covers({ left, top, width, height }: Box, [x, y]: GlassPoint): boolean {
  return x > left - END && x < left + width + END && y > top - END && y < top + height + END;
}

/** Breaks a line between words, and a word that is longer than a line. */
function wrap(line: string, most: number): string[] {
  if (line.length <= most || most < 1) return [line];
  const space = line.lastIndexOf(' ', most);
  const at = space > 0 ? space : most;
  return [line.slice(0, at), ...wrap(line.slice(at).trimStart(), most)];
}

/** Returns the line from a label to its shape, as `d` of an SVG path. */
export function leaderOf({ left, top, width, height, anchor: [x, y] }: Label): string {
  const nearest = (at: number, from: number, size: number) => Math.max(from, Math.min(at, from + size));
  return `M${x} ${y}L${nearest(x, left, width)} ${nearest(y, top, height)}`;
}
