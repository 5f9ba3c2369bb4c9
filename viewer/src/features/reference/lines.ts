import type { ImagePoint } from '../../domain/space/geometry.ts';
import { nearestPoint, rectangleOf, referenceLine } from '../../domain/volume/reference-lines.ts';
import type { Cell } from '../../state/stage/cell.svelte.ts';
import type { Crosshair } from '../../state/stage/crosshair.svelte.ts';

export interface Line {
  from: Cell;
  ends: readonly [ImagePoint, ImagePoint];
}

/** Marks of the crosshair are drawn on images that are as near to it, in millimetres: half of a thick slice. */
const NEAR_MM = 2.5;

/**
 * Returns the lines in which images of other cells cut the one on a cell's glass: that of the active cell, and among planes
 * of a volume those of all that are no slab.
 */
export function linesOn(cell: Cell, cells: readonly Cell[], active: Cell): Line[] {
  const here = cell.shown && rectangleOf(cell.shown.image.metadata);
  if (!here) return [];
  const isPlane = (one: Cell) => {
    const reformatted = one.shown?.stack.reformatted;
    return reformatted !== undefined && !reformatted.slab;
  };
  const others = cells.filter((one) => one !== cell && (one === active || isPlane(one)));
  return others.flatMap((from) => {
    const other = from.shown && rectangleOf(from.shown.image.metadata);
    const ends = other && referenceLine(here, other);
    return ends ? [{ from, ends }] : [];
  });
}

/** Returns where the crosshair is on the image of a cell; undefined if that shows another place. */
export function markOn(cell: Cell, { on, at }: Crosshair): ImagePoint | undefined {
  const here = cell.shown && rectangleOf(cell.shown.image.metadata);
  if (!on || !at || !here || here.frameOfReference !== at.frameOfReference) return undefined;
  const { point, distance } = nearestPoint(here, at.point);
  return distance <= NEAR_MM ? point : undefined;
}

type GlassPoint = readonly [x: number, y: number];

/** Returns the point where the first two lines meet; undefined if there are fewer, or they are parallel. */
export function crossing(lines: readonly { start: GlassPoint; end: GlassPoint }[]): GlassPoint | undefined {
  const [one, other] = lines;
  if (!one || !other) return undefined;
  const way = ({ start, end }: { start: GlassPoint; end: GlassPoint }) => [
    end[0] - start[0],
    end[1] - start[1],
  ];
  const [[a, b], [c, d]] = [way(one), way(other)] as [[number, number], [number, number]];
  const turn = a * d - b * c;
  if (Math.abs(turn) < 1e-6) return undefined;
  const part = ((other.start[0] - one.start[0]) * d - (other.start[1] - one.start[1]) * c) / turn;
  return [one.start[0] + part * a, one.start[1] + part * b];
}
