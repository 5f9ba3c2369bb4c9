/** Limits the tasks that run at the same time; the others wait in the order in which they came. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  /** @param permits number of tasks at the same time */
  constructor(permits: number) {
    this.#free = permits;
  }

  /**
   * Waits for a permit.
   * @param signal ends the wait; it does not take back a permit that was given
   * @returns a function that releases the permit; later calls do nothing
   * @throws the reason of `signal` when it aborts first
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    let held = true;
    return () => {
      if (held) this.#release();
      held = false;
    };
  }

  #release(): void {
    const [next] = this.#waiting;
    if (next) next();
    else this.#free++;
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
