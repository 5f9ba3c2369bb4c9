import { setTimeout as delay } from 'node:timers/promises';

/** Shortest and longest time that a refusal is made to take, in milliseconds. */
const LEAST = 20;
const MOST = 100;
/** Milliseconds in each of the two time windows whose slowest answer counts. */
const WINDOW = 300_000;

/**
 * Makes refusals take as long as the slowest recent answer. The same query takes a server longer when it finds something,
 * and the time of a refusal must not reveal that there is something to refuse (IA-7).
 */
export class RefusalDelay {
  #current = LEAST;
  #before = LEAST;
  #turned = performance.now();

  /**
   * Runs work, and waits after it when the answer is a refusal.
   * @param refuses returns true for a refusal
   */
  async run<T>(work: () => Promise<T>, refuses: (answer: T) => boolean): Promise<T> {
    const started = performance.now();
    const answer = await work();
    const took = performance.now() - started;
    this.#learn(took);
    const wait = Math.min(MOST, Math.max(this.#current, this.#before)) - took;
    if (refuses(answer) && wait > 0) await delay(wait);
    return answer;
  }

  #learn(took: number): void {
    const now = performance.now();
    if (now - this.#turned > WINDOW) {
      this.#before = this.#current;
      this.#current = LEAST;
      this.#turned = now;
    }
    this.#current = Math.max(this.#current, took);
  }
}
