import type { ImageSource } from '../data/source.ts';
import type { Instance } from '../domain/instance.ts';
import type { Stack } from '../domain/stacks.ts';
import type { FrameId, ImageLocation } from '../domain/study.ts';
import type { Engine } from '../engine/port.ts';

/** A series whose frames can be asked for. */
export interface OpenedSeries {
  /** Metadata of all its instances, documents included. */
  instances: readonly Instance[];
  stacks: readonly Stack[];
  /** Returns how many of its frames are ready. */
  ready(): number;
  /** Its frames are no longer needed. */
  close(): void;
}

/** What the stage needs to show images. The app makes it of an image source, the frame store and the engine. */
export interface Imaging {
  images: Omit<ImageSource, 'series'>;
  /** Reads the metadata of a series, splits its images into stacks, and tells the frame store where they are. */
  openSeries(
    at: ImageLocation,
    name: { study: string; series: string },
    signal: AbortSignal,
  ): Promise<OpenedSeries>;
  /** Loads the engine with the first image. */
  engine(): Promise<Engine>;
  /** Called when frames have become ready. @returns a function that ends it */
  onProgress(listener: () => void): () => void;
  /** Asks again for a frame that has failed. */
  retry(frame: FrameId): void;
}
