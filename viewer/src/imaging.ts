import type { ImageSource } from './data/source.ts';
import { stacksOf } from './domain/stacks.ts';
import { FrameStore } from './pixels/frame-store.ts';
import type { Imaging } from './state/imaging.ts';

/** Connects the stage with a source of images, the frame store, and Cornerstone, which is loaded with the first image. */
export function imagingOf(images: ImageSource): Imaging {
  const store = new FrameStore(images);
  const engine = () =>
    import('./engine/cornerstone/engine.ts').then(({ createEngine }) => createEngine(store));
  let loaded: ReturnType<typeof engine> | undefined;
  let volumes: ReturnType<typeof loadVolumes> | undefined;
  return {
    images,
    async openSeries(at, name, signal) {
      const instances = await images.series(at, name, signal);
      const stacks = stacksOf(name, instances);
      const ends = stacks.map((stack) => store.add(stack, at));
      return {
        instances,
        stacks,
        ready: () => stacks.reduce((sum, stack) => sum + store.counts(stack).ready, 0),
        close: () => ends.forEach((end) => end()),
      };
    },
    engine: () => (loaded ??= engine()),
    openVolume: (stack, geometry) => (volumes ??= loadVolumes(store)).then((open) => open(stack, geometry)),
    onProgress: (listener) => store.subscribe(listener),
    retry: (frame) => store.retry(frame),
  };
}

/** Loads what shows volumes: with the first volume. */
async function loadVolumes(store: FrameStore) {
  return (await import('./volumes.ts')).volumesOf(store);
}
