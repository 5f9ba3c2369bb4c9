/** Pictures of a phantom, and an engine that draws them at once or when the test says so. */
import type { Trouble } from '../../src/data/trouble.ts';
import type { Pixels } from '../../src/domain/grey/pixels.ts';
import type { Stack } from '../../src/domain/series/stacks.ts';
import type { Camera, Engine, Point, Shown, View, Window } from '../../src/engine/port.ts';

/** The window that the images have. */
const STORED: Window = { centre: 40, width: 400 };
const WHOLE: Camera = { zoom: 1, pan: [0, 0], rotation: 0, flipped: false };

/** Draws a slice of a head. @param at from 0 to 1, from the neck to the crown */
function drawPhantom(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  at: number,
  { zoom, pan, rotation, flipped }: Camera = WHOLE,
): void {
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const { width, height } = canvas;
  context.resetTransform();
  context.fillStyle = '#000';
  context.fillRect(0, 0, width, height);
  context.translate(width / 2 + pan[0], height / 2 + pan[1]);
  context.rotate((rotation * Math.PI) / 180);
  context.scale((flipped ? -zoom : zoom) * 1, zoom);
  const size = Math.min(width, height) * 0.42 * Math.sqrt(Math.max(1 - (2 * at - 1) ** 2 * 0.7, 0.2));
  const oval = (x: number, y: number, part: number, grey: number) => {
    context.fillStyle = `rgb(${grey} ${grey} ${grey})`;
    context.beginPath();
    context.ellipse(x * size, y * size, size * part * 0.82, size * part, 0, 0, 2 * Math.PI);
    context.fill();
  };
  oval(0, 0, 1, 210);
  oval(0, 0, 0.93, 30);
  oval(0, 0, 0.88, 120);
  oval(0, 0, 0.62, 150);
  oval(-0.12, -0.02, 0.16, 40);
  oval(0.12, -0.02, 0.16, 40);
  oval(0.3, -0.38, 0.07, 235);
}

/** Returns a picture of a phantom as the server would draw it. */
export async function phantomPicture(at = 0.5, size = 256): Promise<Blob> {
  const canvas = new OffscreenCanvas(size, size);
  drawPhantom(canvas, at);
  return canvas.convertToBlob();
}

export class DrawnEngine implements Engine {
  readonly views: DrawnView[] = [];
  /** Images appear when `show` is called. */
  held = false;

  get view(): DrawnView {
    const view = this.views.at(-1);
    if (!view) throw new Error('No image is open.');
    return view;
  }

  open(element: HTMLElement): View {
    const view = new DrawnView(element, this);
    this.views.push(view);
    return view;
  }
}

export class DrawnView implements View {
  readonly #canvas = document.createElement('canvas');
  readonly #engine: DrawnEngine;
  readonly #resizing: ResizeObserver;
  #stack: Stack | undefined;
  #wanted = 0;
  /** As it was set; undefined for that of the images. */
  window: Window | undefined;
  #inverted = false;
  #camera = WHOLE;
  #onShown = new Set<(shown: Shown) => void>();
  #onTrouble = new Set<Parameters<View['onTrouble']>[0]>();

  constructor(element: HTMLElement, engine: DrawnEngine) {
    this.#engine = engine;
    this.#canvas.style.cssText = 'display: block; width: 100%; height: 100%';
    // As Cornerstone does: what is inside cannot be reached by Tab.
    element.tabIndex = -1;
    element.append(this.#canvas);
    this.#resizing = new ResizeObserver(() => {
      this.#canvas.width = element.clientWidth;
      this.#canvas.height = element.clientHeight;
      this.#changed();
    });
    this.#resizing.observe(element);
  }

  setStack(stack: Stack, index: number): void {
    this.#stack = stack;
    this.want(index);
  }

  want(index: number): void {
    this.#wanted = index;
    this.#changed();
  }

  setWindow(window: Window | undefined): void {
    this.window = window;
    this.#changed();
  }

  setInverted(inverted: boolean): void {
    this.#inverted = inverted;
    this.#changed();
  }

  setCamera(camera: Partial<Camera>): void {
    this.#camera = { ...this.#camera, ...camera };
    this.#changed();
  }

  reset(): void {
    this.window = undefined;
    this.#inverted = false;
    this.setCamera(WHOLE);
  }

  /** The image has as many pixels as the glass while the camera is at rest. */
  toImage([x, y]: Point): Point {
    const [left, top] = this.#middle;
    return [(x - left) / this.#camera.zoom + left, (y - top) / this.#camera.zoom + top];
  }

  toGlass([column, row]: Point): Point {
    const [left, top] = this.#middle;
    return [(column - left) * this.#camera.zoom + left, (row - top) * this.#camera.zoom + top];
  }

  /** Columns count from 0: a value is its column. */
  pixels(): Pixels {
    const [columns, rows] = [64, 64];
    const values = Float32Array.from({ length: columns * rows }, (_, at) => at % columns);
    return { columns, rows, samples: 1, values, slope: 1, intercept: 0 };
  }

  picture(): HTMLCanvasElement {
    return this.#canvas;
  }

  get #middle(): Point {
    return [this.#canvas.width / 2, this.#canvas.height / 2];
  }

  onShown(listener: (shown: Shown) => void): () => void {
    this.#onShown.add(listener);
    return () => this.#onShown.delete(listener);
  }

  onTrouble(listener: Parameters<View['onTrouble']>[0]): () => void {
    this.#onTrouble.add(listener);
    return () => this.#onTrouble.delete(listener);
  }

  close(): void {
    this.#resizing.disconnect();
    this.#canvas.remove();
  }

  /** Puts an image on the glass. */
  show(index = this.#wanted): void {
    const frame = this.#stack?.frames[index];
    if (!frame) return;
    drawPhantom(this.#canvas, index / this.#stack!.frames.length, this.#camera);
    this.#canvas.style.filter = this.#inverted ? 'invert(1)' : '';
    const shown = {
      frame: frame.id,
      index,
      window: this.window ?? STORED,
      inverted: this.#inverted,
      camera: this.#camera,
    };
    for (const listener of this.#onShown) listener(shown);
  }

  fail(trouble: Trouble, index = this.#wanted): void {
    const frame = this.#stack!.frames[index]!.id;
    for (const listener of this.#onTrouble) listener({ frame, trouble });
  }

  #changed(): void {
    if (!this.#engine.held) this.show();
  }
}
