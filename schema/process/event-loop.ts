/**
 * Gives each part of one request's work a separate turn of the event loop, in order. Sources that answer from memory never
 * wait for I/O: without this, a thousand parts would run in one turn while all other requests wait.
 */
export class LoopTurns {
  #waiting: (() => void)[] | undefined;

  /** Resolves in a later turn that no other part of the same request uses. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting ??= [];
      if (this.#waiting.push(resolve) === 1) this.#beginLater();
    });
  }

  #beginLater(): void {
    setImmediate(() => {
      this.#waiting?.shift()?.();
      if (this.#waiting?.length) this.#beginLater();
    });
  }
}
