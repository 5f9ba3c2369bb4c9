/**
 * Values worked out from objects that never change, each kept as long as its object lives. Nothing has to be invalidated:
 * new facts come as a new object. Nothing is kept for an object that is not frozen: it belongs to one request, and a weak
 * map would hold what is kept for it until the next full garbage collection. Rows of sources are not frozen: values by
 * row are kept in a `WeakMap` beside the function that makes them.
 */
export class Derivation<Source extends object, Value> {
  readonly #kept = new WeakMap<Source, { others: readonly unknown[]; value: Value }>();

  /**
   * Returns the value that is kept, or makes it where there is none or one of the others is not the same.
   * @param others everything else that goes into the value, compared by identity
   */
  of(source: Source, others: readonly unknown[], make: () => Value): Value {
    const kept = this.#kept.get(source);
    if (kept && kept.others.every((other, index) => other === others[index])) return kept.value;
    const value = make();
    if (Object.isFrozen(source)) this.#kept.set(source, { others, value });
    return value;
  }
}
