/**
 * Values kept with objects that live as long as one request. A weak map would do the same, but V8 keeps the keys of a weak
 * map that are collected young, with all that they hold, until its next full garbage collection.
 */
export class RequestValues<Owner extends object, Value> {
  readonly #name = Symbol('kept with a request');

  get(owner: Owner): Value | undefined {
    return (owner as Record<symbol, Value | undefined>)[this.#name];
  }

  /** A copy of the owner does not have the value. */
  set(owner: Owner, value: Value): void {
    Object.defineProperty(owner, this.#name, { value, enumerable: false, configurable: true });
  }
}
