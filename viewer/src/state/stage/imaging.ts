import type { ImageSource } from '../../data/source.ts';
import type { Instance } from '../../domain/instance.ts';
import type { Trouble } from '../../data/trouble.ts';
import type { Orientation } from '../../domain/space/geometry.ts';
import type { Place } from '../../domain/series/image-reference.ts';
import type { Slab, Stack } from '../../domain/series/stacks.ts';
import type { FrameId, ImageLocation } from '../../domain/study.ts';
import type { VolumeGeometry } from '../../domain/volume/volume.ts';
import type { SampleGrid } from '../../domain/volume/volume-planes.ts';
import type { Engine, Window } from '../../engine/port.ts';

/** A series whose frames can be asked for. */
export interface OpenedSeries {
  /** Metadata of all its instances, documents included. */
  instances: readonly Instance[];
  stacks: readonly Stack[];
  /** Returns how many of its frames are ready. */
  ready(): number;
  /** Returns true if a frame can be shown at once. */
  isReady(frame: FrameId): boolean;
  /** Its frames are no longer needed. */
  close(): void;
}

/** The parts with which a cell shows images, from an archive or of a volume. */
export type CellImaging = Pick<Imaging, 'images' | 'openSeries' | 'engine' | 'retry'>;

/** A volume whose slices are being loaded, or are all there. */
export interface OpenedVolume {
  /** For the cells that show its planes. */
  imaging: CellImaging;
  /** Slices that are there, and why the first of the others is not. */
  progress(): VolumeProgress;
  /** Called when `progress` has changed. @returns a function that ends it */
  onProgress(listener: () => void): () => void;
  /** Returns the images of a plane, as far as slices are there: they keep what is missing when they are asked for. */
  plane(plane: Orientation, slab?: Slab): OpenedSeries;
  /**
   * Returns its values at points in the patient, by rows, after the rescale; NaN outside. All slices have to be there.
   * @throws Trouble, or the reason of the signal
   */
  sample(grid: SampleGrid, signal: AbortSignal): Promise<Float32Array>;
  /** Asks again for the slices that have failed. */
  again(): void;
  close(): void;
}

export interface VolumeProgress {
  ready: number;
  /** Slices that are there, and those that have failed. */
  tried: number;
  all: number;
  /** `image`: from 1. */
  trouble?: { trouble: Trouble; image: number };
}

/** In pixels. */
export interface PictureSize {
  width: number;
  height: number;
}

/** An image of a series that the address names. */
export interface NamedImage {
  /** Study Instance UID. */
  study: string;
  /** Series Instance UID. */
  series: string;
  /** Finds it when the stacks are known. */
  find: (stacks: readonly Stack[]) => Place | undefined;
  /** In place of its own. */
  window?: Window | undefined;
}

/** The image that the address names, while its record and the engine are not there yet. */
export interface FirstImage {
  frame: FrameId;
  /** From 1. */
  image: number;
  count: number;
  /** True if it is read black on white. */
  inverted?: boolean;
  /** True if it comes compressed, for a slow line, as far as that is known now. */
  isSlow(): boolean;
  /** Asks for it, and draws it in full quality. @returns undefined for an image that waits for the engine */
  draw(): Promise<ImageData | undefined>;
  /** Its bytes are no longer needed here. */
  close(): void;
}

/** The parts with which the stage shows images. The app makes it of an image source, the frame store and the engine. */
export interface Imaging {
  images: Omit<ImageSource, 'series'>;
  /** Reads the metadata of a series alone. @throws Trouble */
  metadataOf: ImageSource['series'];
  /** Reads the metadata of a series, splits its images into stacks, and tells the frame store where they are. */
  openSeries(
    at: ImageLocation,
    name: { study: string; series: string },
    signal: AbortSignal,
  ): Promise<OpenedSeries>;
  /**
   * Asks for the picture of the study, or the series, that the address names, before the record has said where it is. Who
   * asks for the picture of the same series then gets this one.
   * @throws Trouble; also where only the record knows the place
   */
  foresee(name: { study: string; series?: string | undefined }, size: PictureSize): Promise<Blob>;
  /**
   * Finds the image itself, after `foresee` of its series. Who opens the series then has its bytes.
   * @returns undefined if there is none
   * @throws Trouble
   */
  firstImage(name: NamedImage): Promise<FirstImage | undefined>;
  /** Loads the engine with the first image. */
  engine(): Promise<Engine>;
  /** Called when frames have become ready. @returns a function that ends it */
  onProgress(listener: () => void): () => void;
  /** Asks again for a frame that has failed. */
  retry(frame: FrameId): void;
  /** Loads the slices of a volume. @param stack of a series that is open */
  openVolume(stack: Stack, geometry: VolumeGeometry): Promise<OpenedVolume>;
}
