import { Readable } from 'node:stream';
import { giveBack } from './buffer-pool.ts';

/** Bytes that the socket has not taken yet, above which no more are requested. */
const MAX_PENDING = 512 * 1024;

/**
 * A body made chunk by chunk. `pipe` makes the next chunks while the last ones leave, and gives memory of a pool back
 * when the socket has taken it. Without `pipe` it is a stream as any other.
 */
export class WrittenBody extends Readable {
  readonly #chunks: AsyncIterator<Uint8Array>;

  /** @param chunks their maker must not use a chunk after it was yielded */
  constructor(chunks: AsyncIterable<Uint8Array>) {
    super({ highWaterMark: 256 * 1024 });
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  override pipe<To extends NodeJS.WritableStream>(to: To, { end = true } = {}): To {
    this.#write(to, end).catch((error: Error) => this.destroy(error));
    return to;
  }

  async #write(to: NodeJS.WritableStream & { destroyed?: boolean }, end: boolean): Promise<void> {
    let pending = 0;
    let wake = (): void => undefined;
    for (;;) {
      while (pending > MAX_PENDING) await new Promise<void>((taken) => (wake = taken));
      const { done, value } = await this.#chunks.next();
      if (this.destroyed || to.destroyed) return;
      if (done) break;
      pending += value.length;
      to.write(value, (error) => {
        pending -= value.length;
        // After a failure the socket may still read the bytes.
        if (!error) giveBack(value);
        wake();
      });
    }
    if (end) to.end();
    this.push(null);
    this.resume();
  }

  override _read(): void {
    this.#chunks.next().then(
      ({ done, value }) => this.push(done ? null : value),
      (error: Error) => this.destroy(error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const ended = this.#chunks.return?.() ?? Promise.resolve();
    ended.then(
      () => done(error),
      (failure: Error) => done(error ?? failure),
    );
  }
}
