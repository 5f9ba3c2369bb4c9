/**
 * Values that are large and can be made again: each is kept no longer than its key, and only until memory is wanted. What
 * is counted for the key alone does not hold them.
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
