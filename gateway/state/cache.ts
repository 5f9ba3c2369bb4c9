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

/** Characters that one process stores at a time: it must not fill Redis, in which sign-ins would then fail. */
const MOST_CHARACTERS = 16 * 2 ** 20;

/** Time for which an answer that is not kept is there for those who wait. */
const TOLD_MILLISECONDS = 1000;

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
  let stored = 0;
  /** Seals an entry for its time; undefined if it cannot be stored, is too large, or this process has stored too much. */
  const sealed = (name: string, value: unknown, milliseconds: number): SealedEntry | undefined => {
    if (!reachable()) return undefined;
    const until = milliseconds > 0 ? now() + milliseconds : ONLY_TOLD;
    const text = JSON.stringify({ value, until } satisfies Entry);
    const { length } = text;
    if (length > LARGEST_SHARED_CHARACTERS || stored + length > MOST_CHARACTERS) return undefined;
    stored += length;
    setTimeout(() => (stored -= length), milliseconds || TOLD_MILLISECONDS).unref();
    return [name, seal(text, name)];
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
      if (milliseconds <= 0) return;
      const entry = sealed(entryName('cache', key), value, milliseconds);
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
        const milliseconds = Math.max(0, Math.floor(computed.seconds * 1000));
        const entry = sealed(milliseconds > 0 ? name : flight.told, computed.value, milliseconds);
        answer = [entry, milliseconds || TOLD_MILLISECONDS];
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
