/** Number of results in progress besides the awaited one: enough for the cores, with limited memory. */
const AHEAD = 2;

/**
 * Yields results in order, and starts the next ones early.
 * @param start starts the work on a result, from 1 to `count`
 * @param discard releases a result when its reader takes the next one or leaves
 */
export async function* prefetch<T>(
  count: number,
  start: (number: number) => Promise<T>,
  discard: (result: T) => Promise<void> = () => Promise.resolve(),
): AsyncGenerator<T> {
  const started: Promise<T>[] = [];
  try {
    for (let number = 1; number <= count || started.length > 0; number++) {
      if (number <= count) {
        const result = start(number);
        // Awaited later, unless the reader leaves before.
        result.catch(() => undefined);
        started.push(result);
        if (started.length <= AHEAD) continue;
      }
      const next = started[0]!;
      yield await next;
      void started.shift();
      await discard(await next);
    }
  } finally {
    for (const result of started) result.then(discard).catch(() => undefined);
  }
}
