/**
 * Memory for pixels in transit, which is reused: garbage collection of half a megabyte for every frame is the largest
 * cost of frames. A buffer need not come back. It is reused only after `giveBack` says that nothing reads it any more.
 */

/** Sizes of buffers are multiples of this, because files of a series differ by a few bytes. */
const STEP = 128 * 1024;
/** Bytes before and after each buffer, for the text around a frame in an answer. */
const ROOM = 512;

const GIVE_BACK = Symbol('give back');

interface Lent extends Uint8Array {
  [GIVE_BACK]?: (() => void) | undefined;
}

/** Lends buffers, and keeps those that are given back. */
export class BufferPool {
  readonly #free = new Map<number, ArrayBuffer[]>();
  readonly #most: number;
  #bytes = 0;

  /** @param most bytes of free memory to keep */
  constructor(most = 32 * 1024 * 1024) {
    this.#most = most;
  }

  /** Returns a buffer of so many bytes, with arbitrary content. */
  take(length: number): Buffer {
    // Small buffers cost little, very large ones are rare.
    if (length < STEP / 2 || length > this.#most / 4) return Buffer.allocUnsafe(length);
    const size = Math.ceil((length + 2 * ROOM) / STEP) * STEP;
    const kept = this.#free.get(size)?.pop();
    if (kept) this.#bytes -= size;
    const memory = kept ?? Buffer.allocUnsafeSlow(size).buffer;
    const lent: Buffer & Lent = Buffer.from(memory, ROOM, length);
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
 * Gives a buffer back to its pool when nothing reads it any more. Has an effect once, and only for the buffer that the
 * pool returned: a part of it, or any other bytes, are left alone.
 */
export function giveBack(bytes: Uint8Array): void {
  const lent: Lent = bytes;
  const keep = lent[GIVE_BACK];
  lent[GIVE_BACK] = undefined;
  keep?.();
}

/**
 * Writes text before and after a buffer of a pool, without a copy of its bytes. The returned buffer takes its place.
 * @param before,after ASCII
 * @returns undefined for other buffers, and for text for which there is no room
 */
export function enclosed(bytes: Uint8Array, before: string, after: string): Buffer | undefined {
  const lent: Lent = bytes;
  const keep = lent[GIVE_BACK];
  if (!keep || before.length > ROOM || after.length > ROOM) return undefined;
  const length = before.length + bytes.length + after.length;
  const whole: Buffer & Lent = Buffer.from(bytes.buffer, bytes.byteOffset - before.length, length);
  whole.write(before, 0, 'latin1');
  whole.write(after, before.length + bytes.length, 'latin1');
  lent[GIVE_BACK] = undefined;
  whole[GIVE_BACK] = keep;
  return whole;
}
