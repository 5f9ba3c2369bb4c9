/** Lets any number of waiters wait for the next change. */
export class Changes {
  #wake: () => void = () => undefined;
  #next = this.#begin();

  /** Resolves with the next change. */
  get next(): Promise<void> {
    return this.#next;
  }

  notify(): void {
    this.#wake();
    this.#next = this.#begin();
  }

  #begin(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

/**
 * Waits for a promise as long as a request lasts.
 * @throws the reason of `signal` when it aborts first
 */
export async function whileWanted<T>(what: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return what;
  signal.throwIfAborted();
  let leave: () => void = () => undefined;
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
  });
  try {
    return await Promise.race([what, left]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
