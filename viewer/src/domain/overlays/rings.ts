/** Outlines of masks, along the edges of their pixels. */
import type { ImagePoint } from '../space/geometry.ts';
import type { Line } from './overlay.ts';

export interface Mask {
  columns: number;
  rows: number;
  /** By rows; 0 is outside. */
  values: Uint8Array;
}

/** Right, down, left and up; bit n of a corner says that an edge leaves it in direction n, with the mask on its right. */
const [RIGHT, DOWN, LEFT, UP] = [1, 2, 4, 8] as const;

/**
 * Returns closed lines round all areas of a mask and round their holes: what is within an odd number of them is the mask.
 * Areas that only touch each other by a corner have lines of their own.
 */
export function ringsOf(mask: Mask): Line[] {
  const box = boxOf(mask);
  if (!box) return [];
  // Corners of pixels: one more than pixels in each direction.
  const width = box.right - box.left + 2;
  const edges = edgesOf(mask, box, width);
  const steps = [1, width, -1, -width] as const;
  const rings: Line[] = [];
  const pointAt = (corner: number): ImagePoint => [
    box.left + (corner % width) - 0.5,
    box.top + Math.floor(corner / width) - 0.5,
  ];
  for (let start = 0; start < edges.length; start++) {
    while (edges[start]! > 0) {
      const ring: ImagePoint[] = [];
      let corner = start;
      let direction = -1;
      do {
        const next = nextDirection(edges[corner]!, direction);
        if (next !== direction) ring.push(pointAt(corner));
        edges[corner]! &= ~(1 << next);
        corner += steps[next]!;
        direction = next;
      } while (corner !== start);
      rings.push(ring);
    }
  }
  return rings;
}

/** Turns right where it can: it stays with the pixel beside it. */
function nextDirection(edges: number, direction: number): number {
  if (direction >= 0)
    for (const turn of [1, 0, 3]) {
      const next = (direction + turn) & 3;
      if (edges & (1 << next)) return next;
    }
  return 31 - Math.clz32(edges & -edges);
}

type Box = Readonly<Record<'left' | 'top' | 'right' | 'bottom', number>>;

function boxOf({ columns, rows, values }: Mask): Box | undefined {
  let [left, top, right, bottom] = [columns, rows, -1, -1];
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      if (values[at] === 0) continue;
      if (column < left) left = column;
      if (column > right) right = column;
      if (row < top) top = row;
      bottom = row;
    }
  }
  return right < 0 ? undefined : { left, top, right, bottom };
}

function edgesOf({ columns, rows, values }: Mask, box: Box, width: number): Uint8Array {
  const edges = new Uint8Array(width * (box.bottom - box.top + 2));
  for (let row = box.top; row <= box.bottom; row++) {
    for (let column = box.left; column <= box.right; column++) {
      const at = row * columns + column;
      if (values[at] === 0) continue;
      const corner = (row - box.top) * width + column - box.left;
      if (row === 0 || values[at - columns] === 0) edges[corner]! |= RIGHT;
      if (column === columns - 1 || values[at + 1] === 0) edges[corner + 1]! |= DOWN;
      if (row === rows - 1 || values[at + columns] === 0) edges[corner + width + 1]! |= LEFT;
      if (column === 0 || values[at - 1] === 0) edges[corner + width]! |= UP;
    }
  }
  return edges;
}
