/**
 * Gives each part of one request's work a turn of the event loop of its own, in the order in which they come. Sources
 * that answer from memory never wait for anything, and would otherwise be asked a thousand times in one turn, while all
 * other requests wait.
 */
export class LoopTurns {
  readonly #waiting: (() => void)[] = [];

  /** Resolves in a later turn, which no other part of the same request has. */
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
