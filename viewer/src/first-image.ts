import type { FrameBytes, ImageSource } from './data/source.ts';
import type { Instance } from './domain/instance.ts';
import { startsInverted } from './domain/grey/inverted.ts';
import { stacksOf } from './domain/series/stacks.ts';
import type { FrameId, ImageLocation } from './domain/study.ts';
import { FirstDrawing } from './engine/first/first-image.ts';
import type { FrameStore } from './pixels/frame-store.ts';
import type { FirstImage, NamedImage } from './state/stage/imaging.ts';

/**
 * Asks for the image that an address names, and draws it, before the record and the engine are there.
 * @param instances metadata of its series
 * @returns undefined for a series without images
 */
export function firstImage(
  { store, images, at }: { store: FrameStore; images: ImageSource; at: ImageLocation },
  { study, series, window, find }: NamedImage,
  instances: readonly Instance[],
): FirstImage | undefined {
  const place = find(stacksOf({ study, series }, instances));
  const frame = place?.stack.frames[place.index];
  if (!frame) return undefined;
  const drawing = new FirstDrawing(frame, window);
  const preferred = () => images.preferred?.(series);
  drawing.prepare(preferred());
  const view = {};
  let forget: (() => void) | undefined;
  return {
    frame: frame.id,
    image: place.index + 1,
    count: place.stack.frames.length,
    inverted: startsInverted(frame.metadata),
    isSlow: () => preferred() !== undefined,
    async draw() {
      forget = store.add(place.stack, at);
      store.aim(view, { ...place, alone: true });
      if (!drawing.isPossible) return undefined;
      drawing.prepare(preferred());
      const bytes = await bytesOf(store, frame.id);
      const picture = bytes && (await drawing.draw(bytes));
      drawing.close();
      return picture && new ImageData(picture.pixels, picture.width, picture.height);
    },
    close() {
      store.aim(view, undefined);
      forget?.();
      drawing.close();
    },
  };
}

/** Returns the bytes of a frame when they are there; undefined if it fails, or nobody wants it any longer. */
function bytesOf(store: FrameStore, frame: FrameId): Promise<FrameBytes | undefined> {
  return new Promise((resolve) => {
    const look = (): void => {
      const { at } = store.state(frame);
      if (at === 'loading' || at === 'queued') return;
      end();
      resolve(store.bytes(frame));
    };
    const end = store.subscribe(look);
    look();
  });
}
