/**
 * Runs equal work once at a time: all callers share its result. Nothing is remembered after its end. The work must not use
 * the signal of one caller, which would end it for all.
 */
export class SingleFlight<T> {
  readonly #underWay = new Map<string, Promise<T>>();

  /**
   * Runs the work, or waits for the same work that is already running.
   * @param key names the work and everything that its result depends on
   * @throws the error of the work, to all callers that wait for it
   */
  run<R extends T>(key: string, work: () => Promise<R>): Promise<R> {
    const underWay = this.#underWay.get(key) as Promise<R> | undefined;
    if (underWay) return underWay;
    const working = work().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, working);
    return working;
  }
}
