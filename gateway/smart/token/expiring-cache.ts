import { LRUCache } from 'lru-cache';
import { maxEntries } from '../../../schema/outbound/max-entries.ts';

/** What was computed, and for how long (in seconds) it may be answered from memory. */
export interface Remembered<V> {
  value: V;
  seconds: number;
}

export interface ExpiringCache<V> {
  /**
   * The remembered value, or what `compute` gives; concurrent calls for one key share one computation while it is young.
   * A computation that throws is not remembered, but its waiters all see the error.
   */
  get(key: string, compute: () => Promise<Remembered<V>>): Promise<V>;
  /** Computes the value anew, shared as by `get`. The remembered value stays until there is a new one, and if there is none. */
  renew(key: string, compute: () => Promise<Remembered<V>>): Promise<V>;
  delete(key: string): void;
}

/** A computation that is older than this may hang: it takes no more callers, and the next one begins another. */
const JOINABLE_MILLISECONDS = 2000;
/** Computations of one key at a time, so that a server that hangs is not stormed. */
const MOST_AT_ONCE = 3;

interface Attempt<V> {
  started: number;
  result: Promise<V>;
}

/**
 * A bounded memory of values that each have their own lifetime.
 * @param max entries; the least recently used go first
 * @param now milliseconds since the epoch
 */
export function expiringCache<V extends object>(max: number, now: () => number): ExpiringCache<V> {
  const kept = new LRUCache<string, { value: V; until: number }>(maxEntries(max));
  /** By key, the youngest last. */
  const underWay = new Map<string, Attempt<V>[]>();

  const end = (key: string, ended: readonly Attempt<V>[]): void => {
    const left = (underWay.get(key) ?? []).filter((one) => !ended.includes(one));
    if (left.length > 0) underWay.set(key, left);
    else underWay.delete(key);
  };

  const begin = (key: string, compute: () => Promise<Remembered<V>>): Promise<V> => {
    const older = underWay.get(key) ?? [];
    const remember = ({ value, seconds }: Remembered<V>): V => {
      // A younger attempt has ended, and what it gave is newer than this.
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
    get(key, compute) {
      const hit = kept.get(key);
      return hit && now() < hit.until ? Promise.resolve(hit.value) : renew(key, compute);
    },
    renew,
    delete: (key) => void kept.delete(key),
  };
}
