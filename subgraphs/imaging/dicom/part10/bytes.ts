import { readSync } from 'node:fs';

/** Bytes that violate PS3.10 or PS3.5. The message says what is wrong and contains no data. */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile';
}

/**
 * Random access to the bytes of a file through a window, so that a header is read without its pixels.
 * Offsets are absolute. Files can share a window one after another: a whole index run needs one allocation.
 */
export class Bytes {
  readonly size: number;
  /** Bytes from `windowStart` on; valid until the next call of `ensure`. */
  buffer: Buffer;
  readonly #fd: number | undefined;
  #windowStart = 0;
  #windowEnd = 0;

  constructor(source: Buffer | { fd: number; size: number }, window?: Buffer) {
    if (Buffer.isBuffer(source)) {
      this.size = this.#windowEnd = source.length;
      this.buffer = source;
    } else {
      this.size = source.size;
      this.#fd = source.fd;
      this.buffer = window ?? Buffer.allocUnsafe(16_384);
    }
  }

  /**
   * Makes `length` bytes from `offset`, at most a window, available in `buffer`.
   * @param ahead most bytes to read if a read is needed; by default the whole window
   * @returns their index in `buffer`
   */
  ensure(offset: number, length: number, ahead = this.buffer.length): number {
    if (offset < this.#windowStart || offset + length > this.#windowEnd) this.#move(offset, length, ahead);
    return offset - this.#windowStart;
  }

  /** Returns a copy of `length` bytes from `offset`. */
  slice(offset: number, length: number): Buffer {
    if (offset < 0 || length < 0 || offset + length > this.size)
      throw new DamagedFile('The file ends too early.');
    if (offset >= this.#windowStart && offset + length <= this.#windowEnd) {
      const start = offset - this.#windowStart;
      return Buffer.from(this.buffer.subarray(start, start + length));
    }
    const copy = Buffer.allocUnsafe(length);
    if (this.#read(copy, offset, length) < length) throw new DamagedFile('The file ends too early.');
    return copy;
  }

  #move(offset: number, length: number, ahead: number): void {
    if (this.#fd === undefined || offset + length > this.size)
      throw new DamagedFile('The file ends too early.');
    this.#windowStart = offset;
    this.#windowEnd =
      offset + this.#read(this.buffer, offset, Math.min(ahead, this.buffer.length, this.size - offset));
    if (offset + length > this.#windowEnd) throw new DamagedFile('The file ends too early.');
  }

  #read(target: Buffer, offset: number, length: number): number {
    let done = 0;
    while (done < length) {
      const count = readSync(this.#fd!, target, done, length - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }
}
