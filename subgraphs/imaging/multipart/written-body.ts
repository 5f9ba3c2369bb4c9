import { Readable } from 'node:stream';
import { giveBack } from './buffer-pool.ts';

/** Bytes handed to the socket and not yet taken by it, beyond which no more are asked for. */
const ON_THE_WAY = 512 * 1024;

/**
 * A body made chunk by chunk. To a response it writes itself: the next chunks are made while the last ones leave, and
 * memory of a pool goes back once the socket has taken it. Otherwise it is a stream as any other.
 */
export class WrittenBody extends Readable {
  readonly #chunks: AsyncIterator<Uint8Array>;

  /** @param chunks must not be used by their maker any more once they are given */
  constructor(chunks: AsyncIterable<Uint8Array>) {
    super({ highWaterMark: 256 * 1024 });
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  override pipe<To extends NodeJS.WritableStream>(to: To, { end = true } = {}): To {
    this.#write(to, end).catch((error: Error) => this.destroy(error));
    return to;
  }

  async #write(to: NodeJS.WritableStream & { destroyed?: boolean }, end: boolean): Promise<void> {
    let onTheWay = 0;
    let wake = (): void => undefined;
    for (;;) {
      while (onTheWay > ON_THE_WAY) await new Promise<void>((taken) => (wake = taken));
      const { done, value } = await this.#chunks.next();
      if (this.destroyed || to.destroyed) return;
      if (done) break;
      onTheWay += value.length;
      to.write(value, (error) => {
        onTheWay -= value.length;
        // What failed may still be read by the socket.
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
