import type { ImageSource } from './data/source.ts';
import type { Instance } from './domain/instance.ts';
import { loadedOnce } from './domain/loaded-once.ts';
import { stacksOf, type Stack } from './domain/series/stacks.ts';
import type { FrameId, ImageLocation } from './domain/study.ts';
import type { VolumeGeometry } from './domain/volume/volume.ts';
import type { Engine } from './engine/port.ts';
import { firstImage } from './first-image.ts';
import { FrameStore } from './pixels/frame-store.ts';
import type { FirstImage, NamedImage, OpenedSeries, OpenedVolume } from './state/stage/imaging.ts';

/** The frames of all series that are open, and what draws them. It is loaded with the first series. */
export class Frames {
  /** Loads Cornerstone with the first image. */
  readonly engine: () => Promise<Engine>;
  readonly #images: ImageSource;
  readonly #store: FrameStore;
  readonly #volumes;

  /** @param onProgress called when frames have become ready */
  constructor(images: ImageSource, onProgress: () => void) {
    this.#images = images;
    const store = (this.#store = new FrameStore(images));
    store.subscribe(onProgress);
    this.engine = loadedOnce(() =>
      import('./engine/cornerstone/engine.ts').then(({ createEngine }) => createEngine(store)),
    );
    this.#volumes = loadedOnce(() => import('./volumes.ts').then(({ volumesOf }) => volumesOf(store)));
  }

  /** Opens a series. @param instances its metadata */
  open(
    at: ImageLocation,
    name: { study: string; series: string },
    instances: readonly Instance[],
  ): OpenedSeries {
    const store = this.#store;
    const stacks = stacksOf(name, instances);
    const ends = stacks.map((stack) => store.add(stack, at));
    return {
      instances,
      stacks,
      ready: () => stacks.reduce((sum, stack) => sum + store.counts(stack).ready, 0),
      isReady: (frame) => store.state(frame).at === 'ready',
      close: () => ends.forEach((end) => end()),
    };
  }

  /** As `Imaging.firstImage`. @param instances metadata of its series */
  first(at: ImageLocation, named: NamedImage, instances: readonly Instance[]): FirstImage | undefined {
    return firstImage({ store: this.#store, images: this.#images, at }, named, instances);
  }

  async openVolume(stack: Stack, geometry: VolumeGeometry): Promise<OpenedVolume> {
    return (await this.#volumes())(stack, geometry);
  }

  retry(frame: FrameId): void {
    this.#store.retry(frame);
  }
}
