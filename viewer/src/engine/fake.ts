/** An engine without pixels, for tests of components: the test says when a frame is shown or fails. */
import type { Trouble } from '../data/trouble.ts';
import type { Pixels } from '../domain/grey/pixels.ts';
import type { Stack } from '../domain/series/stacks.ts';
import type { Camera, Engine, Point, Shown, View, Window } from './port.ts';

const WHOLE_IMAGE: Camera = { zoom: 1, pan: [0, 0], rotation: 0, flipped: false };

export class FakeEngine implements Engine {
  readonly views: FakeView[] = [];
  readonly #immediate: boolean;

  /** @param options immediate: what is wanted is shown at once, without the test's help */
  constructor({ immediate = false }: { immediate?: boolean } = {}) {
    this.#immediate = immediate;
  }

  open(element: HTMLElement): FakeView {
    const view = new FakeView(element, this.#immediate);
    this.views.push(view);
    return view;
  }
}

export class FakeView implements View {
  readonly element: HTMLElement;
  stack: Stack | undefined;
  wanted = 0;
  closed = false;
  window: Window | undefined;
  inverted = false;
  camera: Camera = WHOLE_IMAGE;
  #immediate: boolean;
  #shown = new Set<(shown: Shown) => void>();
  #trouble = new Set<Parameters<View['onTrouble']>[0]>();

  constructor(element: HTMLElement, immediate: boolean) {
    this.element = element;
    this.#immediate = immediate;
  }

  setStack(stack: Stack, index: number): void {
    this.stack = stack;
    this.want(index);
  }

  want(index: number): void {
    this.wanted = index;
    if (this.#immediate) this.show();
  }

  setWindow(window: Window | undefined): void {
    this.window = window;
    if (this.#immediate) this.show();
  }

  setInverted(inverted: boolean): void {
    this.inverted = inverted;
    if (this.#immediate) this.show();
  }

  setCamera(camera: Partial<Camera>): void {
    this.camera = { ...this.camera, ...camera };
    if (this.#immediate) this.show();
  }

  reset(): void {
    this.window = undefined;
    this.inverted = false;
    this.setCamera(WHOLE_IMAGE);
  }

  toImage(glass: Point): Point {
    return glass;
  }

  toGlass(image: Point): Point {
    return image;
  }

  pixels(): Pixels | undefined {
    return undefined;
  }

  picture(): HTMLCanvasElement | undefined {
    return undefined;
  }

  onShown(listener: (shown: Shown) => void): () => void {
    this.#shown.add(listener);
    return () => this.#shown.delete(listener);
  }

  onTrouble(listener: Parameters<View['onTrouble']>[0]): () => void {
    this.#trouble.add(listener);
    return () => this.#trouble.delete(listener);
  }

  close(): void {
    this.closed = true;
  }

  /** Puts a frame on the glass: the wanted one, or another. */
  show(index = this.wanted): void {
    const frame = this.stack?.frames[index]?.id;
    if (frame === undefined) throw new Error('there is no such frame');
    const { window, inverted, camera } = this;
    for (const listener of this.#shown) listener({ frame, index, window, inverted, camera });
  }

  /** Says that a frame, the wanted one or another, cannot be shown. */
  fail(trouble: Trouble, index = this.wanted): void {
    const frame = this.stack?.frames[index]?.id;
    if (frame === undefined) throw new Error('there is no such frame');
    for (const listener of this.#trouble) listener({ frame, trouble });
  }
}
