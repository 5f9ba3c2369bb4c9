/** How many are under way beside the one that is awaited: enough for the cores, and a bound for memory. */
const AHEAD = 2;

/**
 * Results in their order, while the next ones are already at work.
 * @param start begins the work on one, from 1 to `count`
 */
export async function* ahead<T>(count: number, start: (number: number) => Promise<T>): AsyncGenerator<T> {
  const underWay: Promise<T>[] = [];
  for (let number = 1; number <= count; number++) {
    const result = start(number);
    // It is awaited in its turn, if the reader stays that long.
    result.catch(() => undefined);
    underWay.push(result);
    if (underWay.length > AHEAD) yield await underWay.shift()!;
  }
  for (const result of underWay) yield await result;
}
