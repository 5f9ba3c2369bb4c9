import type { Point, View } from '../../engine/port.ts';

/**
 * Returns a view that is drawn larger than it is laid out, for paper: its glass has the pixels of the layout.
 * @param by how much larger the element of the view is than what it takes on the page
 */
export function enlarged(view: View, by: number): View {
  const times = ([x, y]: Point, factor: number): Point => [x * factor, y * factor];
  return {
    setStack: (stack, index) => view.setStack(stack, index),
    want: (index) => view.want(index),
    setWindow: (window) => view.setWindow(window),
    setInverted: (inverted) => view.setInverted(inverted),
    setCamera: ({ pan, ...camera }) => view.setCamera(pan ? { ...camera, pan: times(pan, by) } : camera),
    reset: () => view.reset(),
    toImage: (glass) => view.toImage(times(glass, by)),
    toGlass(image) {
      const point = view.toGlass(image);
      return point && times(point, 1 / by);
    },
    pixels: () => view.pixels(),
    picture: () => view.picture(),
    onShown: (listener) =>
      view.onShown((shown) =>
        listener({ ...shown, camera: { ...shown.camera, pan: times(shown.camera.pan, 1 / by) } }),
      ),
    onTrouble: (listener) => view.onTrouble(listener),
    close: () => view.close(),
  };
}
