/** Work that is done a few pieces at a time, in the order in which it was asked for. */
export class Turns {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /**
   * Waits for a turn.
   * @returns what ends it
   * @throws the reason of `signal`, when that comes first
   */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    return () => {
      const [next] = this.#waiting;
      if (next) next();
      else this.#free++;
    };
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const settled = (done: () => void) => () => {
        this.#waiting.delete(start);
        signal?.removeEventListener('abort', leave);
        done();
      };
      const start = settled(resolve);
      const leave = settled(() => reject(signal!.reason as Error));
      this.#waiting.add(start);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}
