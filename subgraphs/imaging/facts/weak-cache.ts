import { LRUCache } from 'lru-cache';

/** Bytes of a value for each row that it was made from: an average. */
const BYTES_OF_ROW = 512;
/** Bytes of the values, of all caches together, that are kept also when memory is needed. */
const MOST_BYTES = 48 * 1024 * 1024;

/** Values used lately. */
const lately = new LRUCache<object, true>({ maxSize: MOST_BYTES });

/**
 * A cache of large values that can be made again, found by their keys as long as these live. The cache that holds the keys
 * does not count the size of the values: those used lately are held here, up to a number of bytes, others only until memory
 * is needed.
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
