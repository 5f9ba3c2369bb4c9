import type { ImageSource } from './data/source.ts';
import { stacksOf } from './domain/stacks.ts';
import type { ImageLocation } from './domain/study.ts';
import { ForeseenImages } from './foreseen-images.ts';
import { FrameStore } from './pixels/frame-store.ts';
import type { Imaging } from './state/imaging.ts';

/** On a slow line the first picture comes alone: only after it, or after so many milliseconds, the engine is loaded. */
const PICTURE_FIRST = 300;

/**
 * Connects the stage with a source of images, the frame store, and Cornerstone, which is loaded with the first image.
 * @param place where the images of the server are, as far as that is known without a record
 */
export function imagingOf(images: ImageSource, place: () => ImageLocation | undefined): Imaging {
  const foreseen = new ForeseenImages(images, place);
  const store = new FrameStore(images);
  const engine = () =>
    import('./engine/cornerstone/engine.ts').then(({ createEngine }) => createEngine(store));
  let loaded: ReturnType<typeof engine> | undefined;
  const loadEngine = () => {
    loaded ??= engine().catch((error: unknown) => {
      // The next image asks again.
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
  let volumes: ReturnType<typeof loadVolumes> | undefined;
  return {
    images: { ...images, rendered: foreseen.rendered },
    foresee(name, size) {
      const picture = foreseen.open(name, size);
      const late = new Promise((resolve) => setTimeout(resolve, PICTURE_FIRST));
      const preload = () => loadEngine().catch(() => undefined);
      void Promise.race([picture, late]).then(preload, preload);
      return picture;
    },
    async openSeries(at, name, signal) {
      const instances = await foreseen.series(at, name, signal);
      const stacks = stacksOf(name, instances);
      const ends = stacks.map((stack) => store.add(stack, at));
      return {
        instances,
        stacks,
        ready: () => stacks.reduce((sum, stack) => sum + store.counts(stack).ready, 0),
        isReady: (frame) => store.state(frame).at === 'ready',
        close: () => ends.forEach((end) => end()),
      };
    },
    engine: loadEngine,
    async openVolume(stack, geometry) {
      volumes ??= loadVolumes(store);
      try {
        return await (
          await volumes
        )(stack, geometry);
      } catch (error) {
        // The next volume asks again.
        volumes = undefined;
        throw error;
      }
    },
    onProgress: (listener) => store.subscribe(listener),
    retry: (frame) => store.retry(frame),
  };
}

/** Loads what shows volumes: with the first volume. */
async function loadVolumes(store: FrameStore) {
  return (await import('./volumes.ts')).volumesOf(store);
}
