/**
 * Memory for pixels that are on their way: used again, since a garbage collector that has to clear half a megabyte for
 * every frame is what frames cost most. Whoever has taken a buffer may keep it; it is used again only when the one who
 * has written it says that nobody reads it any more.
 */

/** Buffers come in multiples of this: files of a series differ by a few bytes. */
const STEP = 128 * 1024;

const GIVE_BACK = Symbol('give back');

interface Lent extends Uint8Array {
  [GIVE_BACK]?: (() => void) | undefined;
}

export class BufferPool {
  readonly #free = new Map<number, ArrayBuffer[]>();
  readonly #most: number;
  #bytes = 0;

  /** @param most bytes that are kept for use */
  constructor(most = 32 * 1024 * 1024) {
    this.#most = most;
  }

  /** A buffer of so many bytes, which hold anything. */
  take(length: number): Buffer {
    // Small ones cost nothing; very large ones are rare.
    if (length < STEP / 2 || length > this.#most / 4) return Buffer.allocUnsafe(length);
    const size = Math.ceil(length / STEP) * STEP;
    const kept = this.#free.get(size)?.pop();
    if (kept) this.#bytes -= size;
    const memory = kept ?? Buffer.allocUnsafeSlow(size).buffer;
    const lent: Buffer & Lent = Buffer.from(memory, 0, length);
    lent[GIVE_BACK] = () => this.#keep(memory);
    return lent;
  }

  #keep(memory: ArrayBuffer): void {
    const size = memory.byteLength;
    if (this.#bytes + size > this.#most) return;
    this.#bytes += size;
    const list = this.#free.get(size);
    if (list) list.push(memory);
    else this.#free.set(size, [memory]);
  }
}

/**
 * Says that nobody reads these bytes any more. Means something for a buffer as a pool has given it, once; a piece of one,
 * or any other bytes, are left alone.
 */
export function giveBack(bytes: Uint8Array): void {
  const lent: Lent = bytes;
  const keep = lent[GIVE_BACK];
  lent[GIVE_BACK] = undefined;
  keep?.();
}
