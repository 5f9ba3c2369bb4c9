import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Fault } from '../../../schema/fault/fault.ts';

/**
 * Waits for a source as long as the tenant allows (`images.patience`). The work continues after that: the next
 * identical request may find it done (IA-19).
 * @param seconds to wait until the work resolves; reading its stream afterwards may take longer
 * @param onLate called when the time is over
 * @throws Fault `unavailable` with `retryAfter`
 */
export async function inTime<T>(work: Promise<T>, seconds: number, onLate?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      onLate?.();
      reject(lateFault(Math.max(1, Math.ceil(seconds))));
    }, seconds * 1000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the fault for a source that does not answer in time. @param retryAfter seconds */
export function lateFault(retryAfter: number, cause?: Error): Fault {
  const message = 'The image archive is slow; ask again later.';
  return new Fault('unavailable', message, { service: 'imaging', retryAfter, cause });
}

/**
 * The seconds for which one request waits for a source in all of its steps together. The time of parallel steps counts
 * once, and the time between steps does not count.
 */
export class TimeBudget {
  #left: number;
  #waiting = 0;
  #since = 0;

  constructor(seconds: number) {
    this.#left = seconds * 1000;
  }

  /** Runs a step and counts its time. @param step gets the seconds left, and waits no longer */
  async during<T>(step: (seconds: number) => Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) this.#since = performance.now();
    try {
      return await step(Math.max(0, this.#left - this.#waited()) / 1000);
    } finally {
      if (--this.#waiting === 0) this.#left -= this.#waited();
    }
  }

  #waited(): number {
    return performance.now() - this.#since;
  }
}

/** Waits for the first item and returns all items; undefined when there are none. */
export async function primed<T>(items: AsyncIterable<T>): Promise<AsyncIterable<T> | undefined> {
  const iterator = items[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return undefined;
  return (async function* () {
    try {
      for (let item: IteratorResult<T> = first; !item.done; item = await iterator.next()) yield item.value;
    } finally {
      await iterator.return?.();
    }
  })();
}

/**
 * Waits until a stream has bytes, or has ended.
 * @throws the error of the stream; Fault `bad_gateway` when it closes without an error
 */
export async function firstBytes(stream: Readable): Promise<void> {
  if (stream.readableLength > 0 || stream.readableEnded) return;
  const waiting = new AbortController();
  const { signal } = waiting;
  try {
    if (!stream.destroyed)
      await Promise.race([once(stream, 'readable', { signal }), once(stream, 'close', { signal })]);
  } finally {
    waiting.abort();
  }
  if (stream.errored) throw stream.errored;
  if (!stream.destroyed || stream.readableLength > 0 || stream.readableEnded) return;
  throw new Fault('bad_gateway', 'The image archive broke off.', { service: 'imaging' });
}
