import type { SharedCache, SharedValue } from '../../schema/outbound/shared-cache.ts';
import { LARGEST_SHARED_CHARACTERS } from '../../schema/outbound/shared-cache.ts';
import type { CountLookup } from '../../schema/process/cache-lookups.ts';
import { joinFlight, type Flight, type SealedEntry } from './flights.ts';
import type { SharedRedis } from './redis.ts';
import { entryName, readEntry } from './redis.ts';
import type { Sealer } from './sealed.ts';

interface Entry {
  value: unknown;
  /** Milliseconds since the epoch. It is sealed, so that somebody who can write to the store cannot prolong it. */
  until: number;
}

/** In place of `until`: the value is for those who wait for it, under a name that only they know. */
const ONLY_TOLD = 0;

/**
 * Returns a `SharedCache` in Redis.
 * @param now milliseconds since the epoch
 */
export function redisCache(redis: SharedRedis, { seal, open }: Sealer, now: () => number): SharedCache {
  const { client, reachable } = redis;
  const valid = ([name, sealed]: SealedEntry): SharedValue | undefined => {
    const text = open(sealed, name);
    if (text === undefined) return undefined;
    const { value, until } = JSON.parse(text) as Entry;
    const seconds = until === ONLY_TOLD ? 0 : (until - now()) / 1000;
    return seconds > 0 || until === ONLY_TOLD ? { value, seconds } : undefined;
  };
  /** Seals an entry; undefined if it is too large. */
  const sealed = (name: string, value: unknown, until: number): SealedEntry | undefined => {
    const text = JSON.stringify({ value, until } satisfies Entry);
    return text.length > LARGEST_SHARED_CHARACTERS ? undefined : [name, seal(text, name)];
  };
  return {
    async get(key) {
      if (!reachable()) return undefined;
      const name = entryName('cache', key);
      const text = await readEntry(client, name).catch(() => null);
      return text === null ? undefined : valid([name, text]);
    },
    async set(key, value, seconds) {
      const milliseconds = Math.floor(seconds * 1000);
      if (milliseconds <= 0 || !reachable()) return;
      const entry = sealed(entryName('cache', key), value, now() + milliseconds);
      if (entry) await client.set(...entry, 'PX', milliseconds).catch(() => null);
    },
    async once(key, compute, patience) {
      const name = entryName('cache', key);
      const flight = await joinFlight(redis, name, patience);
      const found = flight.found && valid(flight.found);
      if (found) return found;
      let answer: Parameters<Flight['end']> = [];
      try {
        const computed = await compute();
        const milliseconds = Math.floor(computed.seconds * 1000);
        const { value } = computed;
        answer =
          milliseconds > 0
            ? [sealed(name, value, now() + milliseconds), milliseconds]
            : [sealed(flight.told, value, ONLY_TOLD)];
        return computed;
      } finally {
        await flight.end(...answer);
      }
    },
  };
}

/** Counts the questions to a shared cache. */
export function countedCache({ get, set, once }: SharedCache, count: CountLookup): SharedCache {
  return {
    async get(key) {
      const found = await get(key);
      count('shared', found !== undefined);
      return found;
    },
    set,
    async once(key, compute, patience) {
      let isHit = true;
      const computed = () => {
        isHit = false;
        return compute();
      };
      try {
        return await once(key, computed, patience);
      } finally {
        count('shared', isHit);
      }
    },
  };
}
