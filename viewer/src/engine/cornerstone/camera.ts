/** Zoom, pan, rotation and flip of a viewport, in the same terms with and without WebGL. */
import type { Types } from '@cornerstonejs/core';
import type { Camera } from '../port.ts';

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
  // The point that comes into the middle. `setPan` means something else without WebGL.
  const { focalPoint, position } = viewport.getCamera();
  const middle = viewport.canvasToWorld([element.clientWidth / 2 - x, element.clientHeight / 2 - y]);
  const moved = position!.map((at, axis) => at + middle[axis]! - focalPoint![axis]!);
  viewport.setCamera({ focalPoint: middle, position: moved as [number, number, number] });
}
