import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';

/** Largest number of keys. A further one removes the least recently used: memory stays limited. */
const MOST_KEYS = 10_000;

/** Returns milliseconds of a monotonic clock: a wall clock that is set back would lock everybody out. */
export const monotonic = (): number => performance.now();

/**
 * Creates token buckets, one for each key: at most `burst` at once, and `perSecond` on average.
 * @param now milliseconds of a monotonic clock
 * @returns a function that returns true when one more is admitted for the key
 */
export function throttle(perSecond: number, burst: number, now = monotonic): (key: string) => boolean {
  const buckets = boundedCache<{ left: number; last: number }>({ entries: MOST_KEYS });
  return (key) => {
    const time = now();
    const bucket = buckets.get(key) ?? { left: burst, last: time };
    const left = Math.min(burst, bucket.left + ((time - bucket.last) / 1000) * perSecond);
    const admitted = left >= 1;
    buckets.set(key, { left: admitted ? left - 1 : left, last: time });
    return admitted;
  };
}
