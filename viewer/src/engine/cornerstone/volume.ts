/** Reads the slices of a volume from the frame store, decodes them by Cornerstone, and gives their values away. */
import { Trouble } from '../../data/trouble.ts';
import { number } from '../../domain/instance.ts';
import type { Stack } from '../../domain/series/stacks.ts';
import type { FrameId } from '../../domain/study.ts';
import { loadingOrder } from '../../domain/volume/coarse.ts';
import { rescaleOfImage, volumeRescale } from '../../domain/volume/volume-planes.ts';
import type { FrameStore } from '../../pixels/frame-store.ts';
import { addImages, imageIdOf, storedValues } from './images.ts';

/** So many slices are decoded at the same time: as many as there are decoders, and one that waits. */
const DECODING = 3;

export type Values = Int16Array | Uint16Array;

export interface SliceListener {
  /** Called once for each slice, in any order. The values are the listener's. */
  onSlice: (at: number, values: Values) => void;
  /** Called when a slice cannot be had now; the others go on. */
  onTrouble: (frame: FrameId, trouble: Trouble) => void;
}

/** True if values below zero are stored, PS3.3 §C.7.6.3.1.4. */
export function isSigned({ frames }: Stack): boolean {
  return number(frames[0]!.metadata, '00280103') === 1;
}

/** Loads all slices of a stack, which the store has to know. @returns a function that ends it */
export function loadSlices(stack: Stack, store: FrameStore, listener: SliceListener): () => void {
  const forget = addImages(stack, store);
  const loading = new SliceLoading(stack, store, listener);
  return () => {
    loading.close();
    forget();
  };
}

class SliceLoading {
  readonly #stack: Stack;
  /** The same images in the order in which they are loaded: the frame store reads ahead in that. */
  readonly #inOrder: Stack;
  readonly #store: FrameStore;
  readonly #listener: SliceListener;
  readonly #rescale: (at: number, values: ArrayLike<number>) => Values;
  /** Indexes of slices that are not there yet, in the order in which they are loaded. */
  readonly #missing: Set<number>;
  readonly #decoding = new Set<number>();
  readonly #told = new Map<number, Trouble>();
  readonly #end: () => void;
  #aim = -1;
  #closed = false;

  constructor(stack: Stack, store: FrameStore, listener: SliceListener) {
    this.#stack = stack;
    this.#store = store;
    this.#listener = listener;
    this.#rescale = rescaleOf(stack);
    const order = loadingOrder(stack.frames.length);
    this.#inOrder = { ...stack, frames: order.map((at) => stack.frames[at]!) };
    this.#missing = new Set(order);
    this.#end = store.subscribe(() => this.#update());
    this.#update();
  }

  close(): void {
    this.#closed = true;
    this.#end();
    this.#store.aim(this, undefined);
  }

  #update(): void {
    if (this.#closed) return;
    this.#aimAtMissing();
    for (const at of this.#missing) {
      if (this.#decoding.size >= DECODING) break;
      if (!this.#decoding.has(at) && this.#state(at).at === 'ready') void this.#take(at);
    }
    this.#tellTroubles();
  }

  /** The store loads from the first slice that it still has to ask for. */
  #aimAtMissing(): void {
    const isNeeded = (at: number) => !['ready', 'failed'].includes(this.#state(at).at);
    if (this.#missing.has(this.#aim) && isNeeded(this.#aim)) return;
    const aim = [...this.#missing].find(isNeeded);
    if (aim === undefined || aim === this.#aim) return;
    this.#aim = aim;
    const index = this.#inOrder.frames.indexOf(this.#stack.frames[aim]!);
    this.#store.aim(this, { stack: this.#inOrder, index });
  }

  async #take(at: number): Promise<void> {
    this.#decoding.add(at);
    const frame = this.#stack.frames[at]!;
    try {
      const values = await storedValues(imageIdOf(frame));
      if (this.#closed) return;
      this.#missing.delete(at);
      this.#listener.onSlice(at, this.#rescale(at, values));
    } catch (error) {
      if (this.#closed) return;
      const trouble = error instanceof Trouble ? error : new Trouble('undecodable', '', { cause: error });
      this.#store.refuse(frame.id, trouble);
    } finally {
      this.#decoding.delete(at);
    }
    this.#update();
  }

  #tellTroubles(): void {
    for (const at of this.#missing) {
      const state = this.#state(at);
      const waits = state.at === 'queued' ? state.waits?.trouble : undefined;
      const trouble = state.at === 'failed' ? state.trouble : waits;
      if (trouble && this.#told.get(at) !== trouble)
        this.#listener.onTrouble(this.#stack.frames[at]!.id, trouble);
      if (trouble) this.#told.set(at, trouble);
      else this.#told.delete(at);
    }
  }

  #state(at: number) {
    return this.#store.state(this.#stack.frames[at]!.id);
  }
}

/** Returns what makes the stored values of a slice those of the volume, which have one rescale. */
function rescaleOf(stack: Stack): (at: number, values: ArrayLike<number>) => Values {
  const rescales = stack.frames.map(({ metadata }) => rescaleOfImage(metadata));
  const { slope, intercept } = volumeRescale(stack);
  const signed = isSigned(stack);
  const [least, most] = signed ? [-32_768, 32_767] : [0, 65_535];
  return (at, values) => {
    const own = rescales[at]!;
    const target = signed ? new Int16Array(values.length) : new Uint16Array(values.length);
    if (own.slope === slope && own.intercept === intercept) {
      target.set(values);
      return target;
    }
    for (let pixel = 0; pixel < values.length; pixel++) {
      const value = (values[pixel]! * own.slope + own.intercept - intercept) / slope;
      target[pixel] = Math.round(Math.min(Math.max(value, least), most));
    }
    return target;
  };
}
