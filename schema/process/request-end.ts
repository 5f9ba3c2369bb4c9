/** Something that may be over before its work is done: the work stops at its signal. An AbortController is one. */
export interface Abortable {
  readonly signal: AbortSignal;
}

/**
 * Ends the work of a request, as an AbortController does. But an answer from memory waits for nothing, and needs no signal:
 * it is made when something asks for it, because for each signal Node 20 makes hidden classes that its next full garbage
 * collection has to find.
 */
export class RequestEnd implements Abortable {
  #controller: AbortController | undefined;
  #aborted = false;
  #reason: unknown;

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  /** Why it is aborted: a Fault when the time limit is over. */
  get reason(): unknown {
    return this.#reason;
  }

  /** Does nothing after the first time. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
  }
}
