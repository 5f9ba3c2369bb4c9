/**
 * Equal work at the same time is one piece of work, whose result all who ask for it share. Nothing is remembered: whoever
 * comes after its end begins it anew. Nobody's signal belongs into the work, since it would end it for all.
 */
export class SingleFlight<T> {
  readonly #underWay = new Map<string, Promise<T>>();

  /**
   * Runs the work, or joins what is under way.
   * @param key names the work and all that its result depends on
   * @throws what the work throws, to all who wait for it
   */
  run<R extends T>(key: string, work: () => Promise<R>): Promise<R> {
    const underWay = this.#underWay.get(key) as Promise<R> | undefined;
    if (underWay) return underWay;
    const working = work().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, working);
    return working;
  }
}
