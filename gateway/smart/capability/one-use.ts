import { LRUCache } from 'lru-cache';
import { maxEntries } from '../../../schema/outbound/max-entries.ts';
import { entryName, required, type SharedRedis } from '../../state/redis.ts';

/** What may be used once (IA-33). */
export interface OneUse {
  /**
   * @param seconds after which it is forgotten, used or not
   * @throws Fault `unavailable` where it cannot be remembered
   */
  issue(id: string, seconds: number): Promise<void>;
  /**
   * True the first time; false for one that was used, has run out, or was never issued.
   * @throws Fault `unavailable` where that cannot be told
   */
  use(id: string): Promise<boolean>;
}

/** More than these at a time push out the oldest, which then cannot be used: memory is bounded, and nothing is used twice. */
const MOST = 100_000;

/**
 * In this process: what it issued is good here alone.
 * @param now milliseconds
 */
export function oneUse(now: () => number): OneUse {
  const issued = new LRUCache<string, true>({ ...maxEntries(MOST), perf: { now }, ttlResolution: 0 });
  return {
    issue: async (id, seconds) => void (seconds > 0 && issued.set(id, true, { ttl: seconds * 1000 })),
    use: async (id) => issued.get(id) === true && issued.delete(id),
  };
}

/** In Redis: issued by one gateway, used once at any of them. */
export function sharedOneUse({ client }: SharedRedis): OneUse {
  return {
    async issue(id, seconds) {
      const milliseconds = Math.floor(seconds * 1000);
      if (milliseconds > 0) await required(client.set(entryName('once', id), '1', 'PX', milliseconds));
    },
    use: async (id) => (await required(client.del(entryName('once', id)))) === 1,
  };
}
