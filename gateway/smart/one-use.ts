import { LRUCache } from 'lru-cache';

/** What may be used once (IA-33). In this process: a link is good where it was made. */
export interface OneUse {
  /** @param seconds after which it is forgotten, used or not */
  issue(id: string, seconds: number): void;
  /** True the first time; false for one that was used, has run out, or was never issued. */
  use(id: string): boolean;
}

/** More than these at a time push out the oldest, which then cannot be used: memory is bounded, and nothing is used twice. */
const MOST = 100_000;

/** @param now milliseconds */
export function oneUse(now: () => number): OneUse {
  const issued = new LRUCache<string, true>({ max: MOST, perf: { now }, ttlResolution: 0 });
  return {
    issue: (id, seconds) => void (seconds > 0 && issued.set(id, true, { ttl: seconds * 1000 })),
    use: (id) => issued.get(id) === true && issued.delete(id),
  };
}
