/** What draws images. `cornerstone/` is the only importer of Cornerstone; `fake.ts` is for tests of components. */
import type { FrameId } from '../domain/study.ts';
import type { Stack } from '../domain/stacks.ts';
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

/** What is on the glass. Only the engine's own rendered event sets it. */
export interface Shown {
  frame: FrameId;
  /** From 0, in the stack. */
  index: number;
  window: Window | undefined;
  inverted: boolean;
  camera: Camera;
}

export interface View {
  /** Shows a stack; `onShown` follows when its image is on the glass. */
  setStack(stack: Stack, index: number): void;
  /** Wants an image; while it is not there the glass keeps what it has. */
  want(index: number): void;
  setWindow(window: Window): void;
  setInverted(inverted: boolean): void;
  setCamera(camera: Partial<Camera>): void;
  /** Window, camera and inversion as the images have them. */
  reset(): void;
  /** Called for every rendered image. @returns a function that ends it */
  onShown(listener: (shown: Shown) => void): () => void;
  /** Called when the wanted image cannot be shown. @returns a function that ends it */
  onTrouble(listener: (trouble: { frame: FrameId; trouble: Trouble }) => void): () => void;
  close(): void;
}
