import type { Instance } from '../../domain/instance.ts';
import { onePer } from '../browser/one-per.ts';
import type { Cell } from './cell.svelte.ts';

/** A video that a cell shows in place of images. */
export interface ShownVideo {
  readonly instance: Instance;
  /** Number of the frame on the glass, from 0; undefined until there is one, and where frames have no known times. */
  readonly frame: number | undefined;
  /** Frames whose times are known. */
  readonly count: number;
  readonly playing: boolean;
  /** Index in `SPEEDS`. */
  speed: number;
  toggle(): void;
  /** Stops, and goes so many frames on or back. */
  step(by: number): void;
  /** Draws the frame on the glass, pixel for pixel; undefined until there is one. */
  picture(): HTMLCanvasElement | undefined;
}

class VideoPlace {
  /** Set by what shows it, as long as it does. */
  shown = $state.raw<ShownVideo>();
}

/** Returns the place of a cell's video: the cell itself knows images. */
export const videoOf = onePer((_cell: Cell) => new VideoPlace());
