import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { entryName, required, type SharedRedis } from '../../state/redis.ts';

/** Ids that may be used once (IA-33). */
export interface OneUse {
  /**
   * Makes an id usable once.
   * @param seconds after which it expires
   * @throws Fault `unavailable` when it cannot be stored
   */
  issue(id: string, seconds: number): Promise<void>;
  /**
   * Returns true the first time; false for an id that was used, has expired, or was never issued.
   * @throws Fault `unavailable` when that cannot be checked
   */
  use(id: string): Promise<boolean>;
}

/** Largest number of ids. A further one removes the oldest, which then cannot be used: memory stays limited. */
const MOST = 100_000;

/**
 * Keeps the ids in this process: they can only be used here.
 * @param now milliseconds
 */
export function oneUse(now: () => number): OneUse {
  const issued = boundedCache<true>({ entries: MOST, now });
  return {
    issue: async (id, seconds) => void (seconds > 0 && issued.set(id, true, { ttl: seconds * 1000 })),
    use: async (id) => issued.get(id) === true && issued.delete(id),
  };
}

/** Keeps the ids in Redis: an id that one gateway issued can be used once at any gateway. */
export function sharedOneUse({ client }: SharedRedis): OneUse {
  return {
    async issue(id, seconds) {
      const milliseconds = Math.floor(seconds * 1000);
      if (milliseconds > 0) await required(client.set(entryName('once', id), '1', 'PX', milliseconds));
    },
    use: async (id) => (await required(client.del(entryName('once', id)))) === 1,
  };
}
