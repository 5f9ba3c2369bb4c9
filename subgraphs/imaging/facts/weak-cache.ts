import { LRUCache } from 'lru-cache';

/** Bytes of a value for each row that it was made from: an average. */
const BYTES_OF_ROW = 512;
/** Bytes of the values, of all caches together, that are kept also when memory is needed. */
const MOST_BYTES = 48 * 1024 * 1024;

/** Values used lately. */
const lately = new LRUCache<object, true>({ maxSize: MOST_BYTES });

/**
 * A cache of large values that can be made again: each is kept no longer than its key. Those used lately are kept for
 * certain, as far as there is room, others until memory is needed: the cache that holds the key does not count their size.
 */
export class WeakCache<Key extends object, Value extends object> {
  readonly #values = new WeakMap<Key, WeakRef<Value>>();

  get(key: Key): Value | undefined {
    const value = this.#values.get(key)?.deref();
    if (value) lately.get(value);
    return value;
  }

  /** @param rows that the value was made from */
  set(key: Key, value: Value, rows: number): void {
    this.#values.set(key, new WeakRef(value));
    lately.set(value, true, { size: BYTES_OF_ROW * Math.max(1, rows) });
  }
}
