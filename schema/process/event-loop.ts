/**
 * Gives each part of one request's work a separate turn of the event loop, in order. Sources that answer from memory never
 * wait for I/O: without this, a thousand parts would run in one turn while all other requests wait.
 */
export class LoopTurns {
  readonly #waiting: (() => void)[] = [];

  /** Resolves in a later turn that no other part of the same request uses. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(this.#begin);
    });
  }

  readonly #begin = (): void => {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(this.#begin);
  };
}
