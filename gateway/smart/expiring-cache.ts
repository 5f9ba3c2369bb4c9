import { LRUCache } from 'lru-cache';
import { upTo } from '../../schema/up-to.ts';

/** What was computed, and for how long (in seconds) it may be answered from memory. */
export interface Remembered<V> {
  value: V;
  seconds: number;
}

export interface ExpiringCache<V> {
  /**
   * The remembered value, or what `compute` gives; concurrent calls for one key share one computation.
   * A computation that throws is not remembered, but its waiters all see the error.
   */
  get(key: string, compute: () => Promise<Remembered<V>>): Promise<V>;
  delete(key: string): void;
}

/**
 * A bounded memory of values that each have their own lifetime.
 * @param max entries; the least recently used go first
 * @param now milliseconds since the epoch
 */
export function expiringCache<V extends object>(max: number, now: () => number): ExpiringCache<V> {
  const kept = new LRUCache<string, { value: V; until: number }>(upTo(max));
  const underWay = new Map<string, Promise<V>>();
  return {
    get(key, compute) {
      const hit = kept.get(key);
      if (hit && now() < hit.until) return Promise.resolve(hit.value);
      const running = underWay.get(key);
      if (running) return running;
      const started = compute()
        .then(({ value, seconds }) => {
          if (seconds > 0) kept.set(key, { value, until: now() + seconds * 1000 });
          else kept.delete(key);
          return value;
        })
        .finally(() => underWay.delete(key));
      underWay.set(key, started);
      return started;
    },
    delete: (key) => void kept.delete(key),
  };
}
