/** Pictures of a phantom, and an engine that draws them at once or when the test says so. */
import type { Trouble } from '../../src/data/trouble.ts';
import { number, numbers } from '../../src/domain/instance.ts';
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
  /** Images have their own size, and fill the glass; otherwise they have as many pixels as it. */
  fits = false;

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

/** Turns a way on the glass clockwise. */
function turned([x, y]: Point, degrees: number): Point {
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [x * cos - y * sin, x * sin + y * cos];
}

export class DrawnView implements View {
  readonly #canvas = document.createElement('canvas');
  readonly #engine: DrawnEngine;
  readonly #resizing: ResizeObserver;
  #stack: Stack | undefined;
  #wanted = 0;
  /** As it was set; undefined for that of the images. */
  window: Window | undefined;
  inverted = false;
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

  /** As Cornerstone's does, it forgets what was set for another stack. */
  setStack(stack: Stack, index: number): void {
    this.#stack = stack;
    this.window = undefined;
    this.inverted = false;
    this.#camera = WHOLE;
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
    this.inverted = inverted;
    this.#changed();
  }

  setCamera(camera: Partial<Camera>): void {
    this.#camera = { ...this.#camera, ...camera };
    this.#changed();
  }

  reset(): void {
    this.window = undefined;
    this.inverted = false;
    this.setCamera(WHOLE);
  }

  toImage([x, y]: Point): Point {
    const { pan, rotation } = this.#camera;
    const [middle, [across, down], [column, row]] = [this.#middle, this.#sizes, this.#middlePixel];
    const [right, below] = turned([x - pan[0] - middle[0], y - pan[1] - middle[1]], -rotation);
    return [right / across + column, below / down + row];
  }

  toGlass([column, row]: Point): Point {
    const { pan, rotation } = this.#camera;
    const [middle, [across, down], from] = [this.#middle, this.#sizes, this.#middlePixel];
    const [x, y] = turned([(column - from[0]) * across, (row - from[1]) * down], rotation);
    return [x + middle[0] + pan[0], y + middle[1] + pan[1]];
  }

  /** Pixels of the page for one of the image, across and down; the first is negative in a mirrored image. */
  get #sizes(): Point {
    const { zoom, flipped } = this.#camera;
    const side = flipped ? -1 : 1;
    if (!this.#engine.fits) return [zoom * side, zoom];
    const [columns, rows, down, across] = this.#format;
    const { width, height } = this.#canvas;
    const fit = zoom * Math.min(width / columns / across, height / rows / down);
    return [fit * across * side, fit * down];
  }

  get #middlePixel(): Point {
    const [columns, rows] = this.#format;
    return this.#engine.fits ? [(columns - 1) / 2, (rows - 1) / 2] : this.#middle;
  }

  /** Columns, rows, and the millimetres of a pixel: down, and across. */
  get #format(): [number, number, number, number] {
    const metadata = this.#stack?.frames[this.#wanted]?.metadata ?? {};
    const [down = 1, across = 1] = numbers(metadata, '00280030', 2) ?? [];
    return [number(metadata, '00280011') ?? 1, number(metadata, '00280010') ?? 1, down, across];
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

  /** Of the stack that it shows. */
  get series(): string | undefined {
    return this.#stack?.frames[0]?.name.series;
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
    this.#canvas.style.filter = this.inverted ? 'invert(1)' : '';
    const shown = {
      frame: frame.id,
      index,
      window: this.window ?? STORED,
      inverted: this.inverted,
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
