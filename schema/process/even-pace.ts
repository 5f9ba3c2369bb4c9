import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds that a refusal takes at least, and beyond which it is held back no longer. */
const LEAST = 20;
const MOST = 100;
/** Milliseconds after which the slowest answers of the time before are forgotten. */
const WINDOW = 300_000;

/**
 * Lets refusals take as long as the slowest answer of late: a server that is asked in the same words still needs longer
 * where it finds something, and the time of a refusal must not tell that there is something to refuse (IA-7).
 */
export class EvenPace {
  #current = LEAST;
  #before = LEAST;
  #turned = performance.now();

  /**
   * Runs work, and waits after it where it refuses.
   * @param refuses whether the answer is a refusal
   */
  async of<T>(work: () => Promise<T>, refuses: (answer: T) => boolean): Promise<T> {
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
