import type { ImageSource } from './data/source.ts';
import { loadedOnce } from './domain/loaded-once.ts';
import type { ImageLocation } from './domain/study.ts';
import { ForeseenImages } from './foreseen-images.ts';
import type { Imaging } from './state/stage/imaging.ts';

/**
 * Connects the stage with a source of images, the frame store, and Cornerstone, which are loaded when they are needed.
 * @param place where the images of the server are, as far as that is known without a record
 */
export function imagingOf(images: ImageSource, place: () => ImageLocation | undefined): Imaging {
  const foreseen = new ForeseenImages(images, place);
  const listeners = new Set<() => void>();
  const tell = () => listeners.forEach((listener) => listener());
  const frames = loadedOnce(() => import('./frames.ts').then(({ Frames }) => new Frames(images, tell)));
  return {
    images: { ...images, rendered: foreseen.rendered },
    metadataOf: foreseen.series,
    foresee(name, size) {
      const picture = foreseen.open(name, size);
      // After these requests, which have the connections that are open. Who needs it says it if it does not come.
      setTimeout(() => void frames().catch(() => undefined));
      return picture;
    },
    async firstImage(named) {
      const at = place();
      const instances = await foreseen.metadata;
      return at && instances && (await frames()).first(at, named, instances);
    },
    async openSeries(at, name, signal) {
      const [opened, instances] = await Promise.all([frames(), foreseen.series(at, name, signal)]);
      return opened.open(at, name, instances);
    },
    engine: async () => (await frames()).engine(),
    openVolume: async (stack, geometry) => (await frames()).openVolume(stack, geometry),
    onProgress(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    retry: (frame) => void frames().then((opened) => opened.retry(frame)),
  };
}
