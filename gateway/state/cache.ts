import type { SharedCache } from '../../schema/outbound/shared-cache.ts';
import type { CountLookup } from '../../schema/process/cache-lookups.ts';
import type { SharedRedis } from './redis.ts';
import { entryName, readEntry } from './redis.ts';
import type { Sealer } from './sealed.ts';

/** Larger values are not kept: moving them costs more than asking for them again. */
const LARGEST_CHARACTERS = 512 * 1024;

interface Entry {
  value: unknown;
  /** Milliseconds since the epoch. It is sealed, so that somebody who can write to the store cannot prolong it. */
  until: number;
}

/**
 * Returns a `SharedCache` in Redis.
 * @param now milliseconds since the epoch
 */
export function redisCache(
  { client, reachable }: SharedRedis,
  { seal, open }: Sealer,
  now: () => number,
): SharedCache {
  return {
    async get(key) {
      if (!reachable()) return undefined;
      const name = entryName('cache', key);
      const sealed = await readEntry(client, name).catch(() => null);
      const text = sealed === null ? undefined : open(sealed, name);
      if (text === undefined) return undefined;
      const { value, until } = JSON.parse(text) as Entry;
      const seconds = (until - now()) / 1000;
      return seconds > 0 ? { value, seconds } : undefined;
    },
    async set(key, value, seconds) {
      const milliseconds = Math.floor(seconds * 1000);
      if (milliseconds <= 0 || !reachable()) return;
      const text = JSON.stringify({ value, until: now() + milliseconds } satisfies Entry);
      if (text.length > LARGEST_CHARACTERS) return;
      const name = entryName('cache', key);
      await client.set(name, seal(text, name), 'PX', milliseconds).catch(() => null);
    },
  };
}

/** Counts the questions to a shared cache. */
export function countedCache({ get, set }: SharedCache, count: CountLookup): SharedCache {
  return {
    async get(key) {
      const found = await get(key);
      count('shared', found !== undefined);
      return found;
    },
    set,
  };
}
