import { Fault } from '../../schema/fault.ts';

/**
 * Waits for a source as long as the tenant says (`images.patience`). The work itself goes on: the identical request
 * may find it done (IA-19).
 * @param seconds until then; not counted once the work has resolved, so that a stream may last longer
 * @param onLate called when it was not in time
 * @throws Fault `unavailable` with `retryAfter`
 */
export async function inTime<T>(work: Promise<T>, seconds: number, onLate?: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      onLate?.();
      reject(
        new Fault('unavailable', 'The image archive is slow; ask again later.', {
          service: 'imaging',
          retryAfter: Math.ceil(seconds),
        }),
      );
    }, seconds * 1000);
  });
  try {
    return await Promise.race([work, late]);
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
