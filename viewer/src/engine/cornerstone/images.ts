/** Frames as Cornerstone's images: our loader reads their bytes from the frame store, Cornerstone's workers decode them. */
import { cache, getShouldUseCPURendering, imageLoader, metaData, type Types } from '@cornerstonejs/core';
import { createImage } from '@cornerstonejs/dicom-image-loader';
import { Trouble } from '../../data/trouble.ts';
import type { Stack, StackFrame } from '../../domain/series/stacks.ts';
import type { FrameStore } from '../../pixels/frame-store.ts';
import { moduleOf } from './modules.ts';
import { palettesOf, type Palettes } from './palettes.ts';

const SCHEME = 'frame';

interface Known {
  frame: StackFrame;
  store: FrameStore;
  palettes?: Palettes;
  users: number;
}

/** All frames of open stacks, by Cornerstone's image id. Its registries are global, so this one is. */
const known = new Map<string, Known>();
const decoding = new Map<string, Promise<void>>();

export function imageIdOf({ id }: StackFrame): string {
  return `${SCHEME}:${id}`;
}

/** Returns how many frames Cornerstone can ask for. */
export function knownFrames(): number {
  return known.size;
}

/** Tells Cornerstone where images and their metadata come from. May be called again. */
export function registerImages(): void {
  imageLoader.registerImageLoader(SCHEME, load);
  metaData.addProvider(provide, 1000);
}

/** Makes the images of a stack known. @returns a function that forgets them, their metadata and their decoded pixels */
export function addImages(stack: Stack, store: FrameStore): () => void {
  for (const frame of stack.frames) {
    const entry = known.get(imageIdOf(frame));
    if (entry) entry.users++;
    else known.set(imageIdOf(frame), { frame, store, users: 1 });
  }
  let added = true;
  return () => {
    if (!added) return;
    added = false;
    for (const frame of stack.frames) {
      const id = imageIdOf(frame);
      const entry = known.get(id);
      if (!entry || --entry.users > 0) continue;
      known.delete(id);
      if (cache.getImageLoadObject(id)) cache.removeImageLoadObject(id, { force: true });
    }
  };
}

/** Decodes an image and keeps it, unless that is done. @throws Trouble `undecodable`, or that of a palette's request */
export async function decode(imageId: string): Promise<void> {
  if (cache.getImageLoadObject(imageId)) return;
  const begun = decoding.get(imageId) ?? keepDecoded(imageId).finally(() => decoding.delete(imageId));
  decoding.set(imageId, begun);
  await begun;
}

/**
 * Decodes an image for other use than drawing it.
 * @returns its stored values, before the rescale (PS3.3 §C.11.1.1.2), by rows
 * @throws Trouble `undecodable`
 */
export async function storedValues(imageId: string): Promise<ArrayLike<number>> {
  try {
    return (await loadFrame(imageId, { preScale: { enabled: false } })).getPixelData();
  } catch (cause) {
    throw undecodable(cause);
  }
}

async function keepDecoded(imageId: string): Promise<void> {
  const entry = known.get(imageId);
  try {
    const image = await loadFrame(imageId);
    // Without its metadata, which may have been forgotten in the meantime, an image has another window.
    if (entry && known.get(imageId) === entry) {
      await cache.putImageLoadObject(imageId, { promise: Promise.resolve(image) });
    }
  } catch (cause) {
    throw undecodable(cause);
  }
}

function undecodable(cause: unknown): Trouble {
  if (cause instanceof Trouble) return cause;
  return new Trouble('undecodable', cause instanceof Error ? cause.message : String(cause), { cause });
}

function provide(type: string, ...[imageId]: unknown[]): unknown {
  const entry = typeof imageId === 'string' ? known.get(imageId) : undefined;
  return entry && moduleOf(type, entry.frame.metadata, entry.palettes);
}

function load(imageId: string): { promise: Promise<Types.IImage> } {
  return { promise: loadFrame(imageId) };
}

async function loadFrame(
  imageId: string,
  decoding: { preScale?: { enabled: boolean } } = {},
): Promise<Types.IImage> {
  const entry = known.get(imageId);
  const data = entry?.store.bytes(entry.frame.id);
  if (!entry || !data) throw new Error('the frame is not there');
  entry.palettes ??= await palettesOf(entry.frame.metadata, (url) => entry.store.bulk(url));
  const options = { ...decoding, useRGBA: getShouldUseCPURendering() };
  const image = (await createImage(imageId, data.bytes, data.transferSyntax, options)) as Types.IImage;
  const samples = image.getPixelData().length / (image.rows * image.columns);
  const isWhole = image.color ? samples === 3 || samples === 4 : samples === 1;
  if (!isWhole) throw new Error('the decoder gave another number of pixels');
  return image;
}
