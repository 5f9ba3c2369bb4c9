/** Places of images on the glass of their cells. */
import { middleOf, sizeOf } from '../../domain/space/between-images.ts';
import type { ImagePoint } from '../../domain/space/geometry.ts';
import type { Camera, Point } from '../../engine/port.ts';
import type { Cell } from './cell.svelte.ts';

export interface Aim {
  /** Pixels of the page for one of the image, across and down, at a zoom of 1. */
  fit: readonly [across: number, down: number];
  /** The point of the image in the middle of the glass. */
  centre: ImagePoint;
}

/** Returns where the image lies; undefined while it is not on the glass. */
export function aimOf({ view, shown, stack, camera }: Cell): Aim | undefined {
  const size = shown && shown.stack === stack ? sizeOf(shown.image.metadata) : undefined;
  if (!view || !size) return undefined;
  const points: readonly Point[] = [[0, 0], [size[0], 0], [0, size[1]], middleOf(size)];
  const [from, right, down, middle] = points.map((point) => view.toGlass(point));
  if (!from || !right || !down || !middle) return undefined;
  const length = (to: Point) => Math.hypot(to[0] - from[0], to[1] - from[1]) / camera.zoom;
  const centre = view.toImage([middle[0] - camera.pan[0], middle[1] - camera.pan[1]]);
  return centre && { fit: [length(right) / size[0], length(down) / size[1]], centre };
}

/** Returns the pan with which a point of the image is in the middle of the glass. */
export function panTo(
  point: ImagePoint,
  cell: Cell,
  { zoom, rotation, flipped }: Omit<Camera, 'pan'>,
): Point | undefined {
  const aim = aimOf(cell);
  const size = cell.shown && sizeOf(cell.shown.image.metadata);
  if (!aim || !size) return undefined;
  const middle = middleOf(size);
  // The camera mirrors left and right before it turns, clockwise.
  const x = (middle[0] - point[0]) * aim.fit[0] * zoom * (flipped ? -1 : 1);
  const y = (middle[1] - point[1]) * aim.fit[1] * zoom;
  const angle = (rotation * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [x * cos - y * sin, x * sin + y * cos];
}
