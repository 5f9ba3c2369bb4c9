import { Fault } from '../fault/fault.ts';

/** Milliseconds that the expressions of one request may take together. */
const MOST_MILLISECONDS = 500;

/** Time budget of the expressions of one request, which are evaluated one after the other. */
export class Budget {
  #spent = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Milliseconds that were used. */
  get spent(): number {
    return this.#spent;
  }

  spend(milliseconds: number): void {
    this.#spent += milliseconds;
  }

  /**
   * Runs the work after all work before it has ended.
   * @throws Fault `invalid_request` when the budget is used up
   */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      if (this.#spent < MOST_MILLISECONDS) return work();
      throw new Fault(
        'invalid_request',
        `The FHIRPath expressions of this request take longer than ${MOST_MILLISECONDS} ms together. Use fewer, or simpler ones.`,
      );
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
