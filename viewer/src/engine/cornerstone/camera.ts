/** Zoom, pan, rotation and flip of a viewport, in the same terms with and without WebGL. */
import { getShouldUseCPURendering, type Types } from '@cornerstonejs/core';
import { dot, type Vector } from '../../domain/space/geometry.ts';
import type { Camera, Point } from '../port.ts';

export const WHOLE_IMAGE: Camera = { zoom: 1, pan: [0, 0], rotation: 0, flipped: false };

/** Sets the camera from the whole image on; the viewport has to have an image. */
export function applyCamera(viewport: Types.IStackViewport, element: HTMLElement, camera: Camera): void {
  viewport.resetCamera({ resetPan: true, resetZoom: true, resetToCenter: true });
  // Also where nothing is flipped: without WebGL Cornerstone remembers the flip of before.
  viewport.setCamera({ flipHorizontal: camera.flipped, flipVertical: false });
  viewport.setViewPresentation({ rotation: ((camera.rotation % 360) + 360) % 360 } as Types.ViewPresentation);
  // With WebGL a zoom of 1 is the whole image; without, the zoom is in pixels of the screen for one of the image.
  viewport.setZoom(viewport.getZoom() * camera.zoom);
  const [x, y] = camera.pan;
  if (x === 0 && y === 0) return;
  // The point that comes into the middle, from the one that is there. `setPan` means something else without WebGL.
  const [width, height] = [element.clientWidth, element.clientHeight];
  const from = toWorld(viewport, [width / 2, height / 2]);
  const to = toWorld(viewport, [width / 2 - x, height / 2 - y]);
  const moved = (point: Types.Point3) =>
    point.map((at, axis) => at + to[axis]! - from[axis]!) as Types.Point3;
  const { focalPoint, position } = viewport.getCamera();
  viewport.setCamera({ focalPoint: moved(focalPoint!), position: moved(position!) });
}

/** The position of an image in the coordinates of its viewport. */
function placeOf(viewport: Types.IStackViewport): {
  origin: Vector;
  row: Vector;
  column: Vector;
  spacing: Point;
} {
  const { origin, direction, spacing } = viewport.getImageData();
  return {
    origin: vector(origin),
    row: vector(direction.slice(0, 3)),
    column: vector(direction.slice(3, 6)),
    spacing: [spacing[0], spacing[1]],
  };
}

/** Returns the point of the image under a point of the glass. */
export function imagePoint(viewport: Types.IStackViewport, glass: Point): Point {
  const { origin, row, column, spacing } = placeOf(viewport);
  const from = vector(toWorld(viewport, glass).map((value, axis) => value - origin[axis]!));
  const shift = shiftOf();
  return [dot(from, row) / spacing[0] - shift, dot(from, column) / spacing[1] - shift];
}

/** Returns the point of the glass over a point of the image. */
export function glassPoint(viewport: Types.IStackViewport, [imageColumn, imageRow]: Point): Point {
  const { origin, row, column, spacing } = placeOf(viewport);
  const [right, down] = [(imageColumn + shiftOf()) * spacing[0], (imageRow + shiftOf()) * spacing[1]];
  const world = origin.map((value, axis) => value + row[axis]! * right + column[axis]! * down);
  const [x, y] = viewport.worldToCanvas(world as [number, number, number]);
  const scale = scaleOf(viewport);
  return [x / scale, y / scale];
}

function toWorld(viewport: Types.IStackViewport, [x, y]: Point): Types.Point3 {
  const scale = scaleOf(viewport);
  return viewport.canvasToWorld([x * scale, y * scale]);
}

/** Without WebGL Cornerstone draws in CSS pixels, and yet takes points as if it drew in those of the screen. */
function scaleOf(viewport: Types.IStackViewport): number {
  if (!getShouldUseCPURendering()) return 1;
  const { canvas, element } = viewport;
  return element.clientWidth > 0 ? canvas.width / element.clientWidth / window.devicePixelRatio : 1;
}

/** Without WebGL Cornerstone counts from the corner of the first pixel, with it from the centre. */
function shiftOf(): number {
  return getShouldUseCPURendering() ? 0.5 : 0;
}

function vector(values: ArrayLike<number>): Vector {
  return [values[0]!, values[1]!, values[2]!];
}
