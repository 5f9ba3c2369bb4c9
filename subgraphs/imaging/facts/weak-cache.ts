/**
 * A cache of large values that can be made again: each is kept no longer than its key, and only until memory is needed.
 * The cache that holds the key does not count the size of the value, so it must not keep the value in memory.
 */
export class WeakCache<Key extends object, Value extends object> {
  readonly #values = new WeakMap<Key, WeakRef<Value>>();

  get(key: Key): Value | undefined {
    return this.#values.get(key)?.deref();
  }

  set(key: Key, value: Value): void {
    this.#values.set(key, new WeakRef(value));
  }
}
