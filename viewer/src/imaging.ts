import type { ImageSource } from './data/source.ts';
import { loadedOnce } from './domain/loaded-once.ts';
import { stacksOf } from './domain/stacks.ts';
import type { ImageLocation } from './domain/study.ts';
import { ForeseenImages } from './foreseen-images.ts';
import { FrameStore } from './pixels/frame-store.ts';
import type { Imaging } from './state/imaging.ts';

/**
 * Connects the stage with a source of images, the frame store, and Cornerstone, which is loaded with the first image.
 * @param place where the images of the server are, as far as that is known without a record
 */
export function imagingOf(images: ImageSource, place: () => ImageLocation | undefined): Imaging {
  const foreseen = new ForeseenImages(images, place);
  const store = new FrameStore(images);
  const engine = loadedOnce(() =>
    import('./engine/cornerstone/engine.ts').then(({ createEngine }) => createEngine(store)),
  );
  const volumes = loadedOnce(() => import('./volumes.ts').then(({ volumesOf }) => volumesOf(store)));
  return {
    images: { ...images, rendered: foreseen.rendered },
    foresee: (name, size) => foreseen.open(name, size),
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
    engine,
    openVolume: async (stack, geometry) => (await volumes())(stack, geometry),
    onProgress: (listener) => store.subscribe(listener),
    retry: (frame) => store.retry(frame),
  };
}
