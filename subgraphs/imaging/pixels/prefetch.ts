/** How many are under way beside the one that is awaited: enough for the cores, and a bound for memory. */
const AHEAD = 2;

/**
 * Results in their order, while the next ones are already at work.
 * @param start begins the work on one, from 1 to `count`
 * @param discard ends a result, once its reader asks for the next or leaves
 */
export async function* prefetch<T>(
  count: number,
  start: (number: number) => Promise<T>,
  discard: (result: T) => Promise<void> = () => Promise.resolve(),
): AsyncGenerator<T> {
  const underWay: Promise<T>[] = [];
  try {
    for (let number = 1; number <= count || underWay.length > 0; number++) {
      if (number <= count) {
        const result = start(number);
        // It is awaited in its turn, if the reader stays that long.
        result.catch(() => undefined);
        underWay.push(result);
        if (underWay.length <= AHEAD) continue;
      }
      const next = underWay[0]!;
      yield await next;
      void underWay.shift();
      await discard(await next);
    }
  } finally {
    for (const result of underWay) result.then(discard).catch(() => undefined);
  }
}
