import { LRUCache } from 'lru-cache';

/** A cache in memory that removes the least recently used entries when it is full. */
export type BoundedCache<V extends {}, K extends {} = string, Context = unknown> = LRUCache<K, V, Context>;

/** Limit of a cache: by the number of its entries, or by the sum of their sizes. */
type Limit<V, K> =
  | { entries: number }
  | {
      size: number;
      /** Size of one entry. A larger one is not kept. */
      largest?: number;
      /** A positive integer (default: `set` is given the `size` of each entry). */
      sizeOf?: (value: V, key: K) => number;
    };

type CacheOptions<V extends {}, K extends {}, Context> = Limit<V, K> & {
  /** Lifetime of an entry. Only `set` begins it anew; its option `ttl`, in milliseconds, is for one entry. Default: no end. */
  seconds?: number;
  /** Removes each entry by a timer when its lifetime ends. By default it is removed when it is looked up. */
  purge?: boolean;
  /** Milliseconds of a clock that is read at each look-up. The default is read once in a millisecond. */
  now?: () => number;
  /** Is told each entry that is removed or replaced, and why. */
  dispose?: LRUCache.Disposer<K, V>;
  /** Loads a value for `fetch`. Those who wait get it also when its entry is removed meanwhile. */
  fetch?: LRUCache.Fetcher<K, V, Context>;
};

/**
 * Makes a cache in memory. Its memory grows with its entries: the library's option `max` would allocate all entries at once,
 * 25 ms and 3 MB for 100,000. It counts no hits: callers count answers, for which several entries may be needed.
 */
export function boundedCache<V extends {}, K extends {} = string, Context = unknown>(
  options: CacheOptions<V, K, Context>,
): BoundedCache<V, K, Context> {
  const { seconds = 0, purge, now, dispose, fetch } = options;
  const limit =
    'entries' in options
      ? { maxSize: options.entries, sizeCalculation: () => 1 }
      : { maxSize: options.size, maxEntrySize: options.largest, sizeCalculation: options.sizeOf };
  return new LRUCache<K, V, Context>({
    ...limit,
    ttl: seconds * 1000,
    ttlAutopurge: purge,
    ttlResolution: now ? 0 : 1,
    perf: now && { now },
    dispose,
    fetchMethod: fetch,
    ignoreFetchAbort: true,
  });
}

/** Returns a function that keeps the results of another one, by their argument. */
export function memoized<V extends {}, K extends {} = string>(
  make: (key: K) => V,
  options: CacheOptions<V, K, unknown>,
): (key: K) => V {
  const cache = boundedCache<V, K>(options);
  return (key) => {
    let value = cache.get(key);
    if (value === undefined) cache.set(key, (value = make(key)));
    return value;
  };
}

/** Keeps a promise until it is rejected. @returns the promise */
export function keepPromise<V>(
  cache: BoundedCache<Promise<V>>,
  key: string,
  promise: Promise<V>,
): Promise<V> {
  cache.set(key, promise);
  promise.catch(() => cache.delete(key));
  return promise;
}
