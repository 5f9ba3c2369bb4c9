/** The part that draws images. `cornerstone/` is the only importer of Cornerstone; `fake.ts` is for tests of components. */
import type { Pixels } from '../domain/grey/pixels.ts';
import type { FrameId } from '../domain/study.ts';
import type { Stack } from '../domain/series/stacks.ts';
import type { Trouble } from '../data/trouble.ts';

export interface Engine {
  /** Draws into an element, until the view is closed. */
  open(element: HTMLElement): View;
}

/** Window of the values that are shown, PS3.3 §C.11.2.1.2. */
export interface Window {
  centre: number;
  width: number;
}

export interface Camera {
  /** 1 shows the whole image. */
  zoom: number;
  /** Pixels of the screen. */
  pan: readonly [number, number];
  /** Degrees clockwise. */
  rotation: number;
  flipped: boolean;
}

/** The image on the glass. Only the engine's own rendered event sets it. */
export interface Shown {
  frame: FrameId;
  /** From 0, in the stack. */
  index: number;
  window: Window | undefined;
  inverted: boolean;
  camera: Camera;
}

/** Of an image: column and row, 0/0 in the centre of its first pixel. Of the glass: CSS pixels from its upper left corner. */
export type Point = readonly [x: number, y: number];

export interface View {
  /** Shows a stack; `onShown` follows when its image is on the glass. */
  setStack(stack: Stack, index: number): void;
  /** Wants an image; while it is not there the glass keeps what it has. */
  want(index: number): void;
  /** @param window undefined for that of each image */
  setWindow(window: Window | undefined): void;
  setInverted(inverted: boolean): void;
  setCamera(camera: Partial<Camera>): void;
  /** Window, camera and inversion as the images have them. */
  reset(): void;
  /** Returns the point of the image that is under a point of the glass; undefined while there is no image. */
  toImage(glass: Point): Point | undefined;
  /** The other way round. */
  toGlass(image: Point): Point | undefined;
  /** Returns the values of the image on the glass; undefined while there is none. */
  pixels(): Pixels | undefined;
  /** Returns what is drawn, without what others write above it; undefined while there is no image. */
  picture(): HTMLCanvasElement | undefined;
  /** Called for every rendered image. @returns a function that ends it */
  onShown(listener: (shown: Shown) => void): () => void;
  /** Called when the wanted image cannot be shown. @returns a function that ends it */
  onTrouble(listener: (trouble: { frame: FrameId; trouble: Trouble }) => void): () => void;
  close(): void;
}
