import { Fault } from '../../schema/fault.ts';

/**
 * Waits for a source as long as the tenant says (`images.patience`), then ends what was begun.
 * @param work is given a signal that ends with the request, or when patience does
 * @param seconds until then; not counted once `work` has resolved, so that a stream may last longer
 * @throws Fault `unavailable` with `retryAfter` (IA-19)
 */
export async function patiently<T>(
  work: (signal: AbortSignal) => Promise<T>,
  seconds: number,
  request?: AbortSignal,
): Promise<T> {
  const patience = new AbortController();
  const signal = request ? AbortSignal.any([request, patience.signal]) : patience.signal;
  let timer: NodeJS.Timeout | undefined;
  const slow = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new Fault('unavailable', 'The image archive is slow; ask again later.', {
          service: 'imaging',
          retryAfter: Math.ceil(seconds),
        }),
      );
      patience.abort();
    }, seconds * 1000);
  });
  try {
    return await Promise.race([work(signal), slow]);
  } finally {
    clearTimeout(timer);
  }
}

/** The same items, once the first of them is there; undefined where there is none. */
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
