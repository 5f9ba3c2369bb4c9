import type { Awaitable } from '../../../schema/process/awaitable.ts';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';

/** A computed value, and the seconds for which it may be kept. */
export interface Remembered<V> {
  value: V;
  seconds: number;
}

export type ExpiringCache<V extends object> = ReturnType<typeof expiringCache<V>>;

/** An older computation may hang: callers no longer wait for it, and the next one starts another. */
const JOINABLE_MILLISECONDS = 2000;
/** Computations of one key at a time, so that a server that hangs does not get too many requests. */
const MOST_AT_ONCE = 3;

interface Attempt<V> {
  started: number;
  result: Promise<V>;
}

/**
 * Creates a bounded cache of values, each with its own lifetime.
 * @param max entries; the least recently used are removed first
 * @param now milliseconds since the epoch
 * @param count told whether a value was kept
 */
export function expiringCache<V extends object>(
  max: number,
  now: () => number,
  count?: (isHit: boolean) => void,
) {
  const kept = boundedCache<{ value: V; until: number }>({ entries: max });
  /** Running computations by key, the youngest last. */
  const underWay = new Map<string, Attempt<V>[]>();

  const end = (key: string, ended: readonly Attempt<V>[]): void => {
    const left = (underWay.get(key) ?? []).filter((one) => !ended.includes(one));
    if (left.length > 0) underWay.set(key, left);
    else underWay.delete(key);
  };

  const begin = (key: string, compute: () => Promise<Remembered<V>>): Promise<V> => {
    const older = underWay.get(key) ?? [];
    const remember = ({ value, seconds }: Remembered<V>): V => {
      // A younger attempt has ended: its value is newer.
      if (!underWay.get(key)?.includes(attempt)) return value;
      if (seconds > 0) kept.set(key, { value, until: now() + seconds * 1000 });
      else kept.delete(key);
      end(key, older);
      return value;
    };
    const result = compute()
      .then(remember)
      .finally(() => end(key, [attempt]));
    const attempt: Attempt<V> = { started: now(), result };
    underWay.set(key, [...older, attempt]);
    return result;
  };

  const renew = (key: string, compute: () => Promise<Remembered<V>>): Promise<V> => {
    const attempts = underWay.get(key) ?? [];
    const youngest = attempts.at(-1);
    const joinable = youngest && now() < youngest.started + JOINABLE_MILLISECONDS;
    return joinable || attempts.length >= MOST_AT_ONCE ? youngest!.result : begin(key, compute);
  };

  return {
    /**
     * Returns the kept value at once, or the result of `compute`. Concurrent calls for one key share one computation while it
     * is young. An error is not kept, but all callers that wait for it get it.
     */
    get(key: string, compute: () => Promise<Remembered<V>>): Awaitable<V> {
      const hit = kept.get(key);
      const isHit = hit !== undefined && now() < hit.until;
      count?.(isHit);
      return isHit ? hit.value : renew(key, compute);
    },
    /** Computes a new value, shared as by `get`. The kept value stays until there is a new one, also when that fails. */
    renew,
    delete: (key: string) => void kept.delete(key),
  };
}
