import { LRUCache } from 'lru-cache';
import { maxEntries } from '../../../../schema/outbound/max-entries.ts';

/** More keys than these push out the least recently used: memory is bounded. */
const MOST_KEYS = 10_000;

/** Milliseconds of a clock that nobody sets: a wall clock that is set back would keep everybody out. */
export const monotonic = (): number => performance.now();

/**
 * Token buckets, one for each key: at most `burst` at once and `perSecond` in the long run.
 * @param now milliseconds of a monotonic clock
 * @returns whether one more is admitted for this key
 */
export function throttle(perSecond: number, burst: number, now = monotonic): (key: string) => boolean {
  const buckets = new LRUCache<string, { left: number; last: number }>(maxEntries(MOST_KEYS));
  return (key) => {
    const time = now();
    const bucket = buckets.get(key) ?? { left: burst, last: time };
    const left = Math.min(burst, bucket.left + ((time - bucket.last) / 1000) * perSecond);
    const admitted = left >= 1;
    buckets.set(key, { left: admitted ? left - 1 : left, last: time });
    return admitted;
  };
}
