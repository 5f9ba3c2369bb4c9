/**
 * A cache of large values that can be made again: each is kept no longer than its key, and only until memory is needed.
 * A cache that counts the bytes of its keys alone does not hold these values.
 */
export class ForgettingMap<Key extends object, Value extends object> {
  readonly #values = new WeakMap<Key, WeakRef<Value>>();

  get(key: Key): Value | undefined {
    return this.#values.get(key)?.deref();
  }

  set(key: Key, value: Value): void {
    this.#values.set(key, new WeakRef(value));
  }
}
