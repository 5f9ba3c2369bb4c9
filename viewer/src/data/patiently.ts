import { Trouble } from './trouble.ts';

/** Milliseconds before the first repetition where the server names no time; doubled for each further one. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** Also before a server that says 0. */
const SHORTEST_PAUSE = 500;
const MOST_ATTEMPTS = 8;

export interface Patience {
  signal?: AbortSignal | undefined;
  /** Called before each pause. @param milliseconds how long it is */
  onWait?: ((trouble: Trouble, milliseconds: number) => void) | undefined;
  /** Attempts in all. */
  attempts?: number;
}

/**
 * Runs a request again while its trouble passes: after the time that the server names, or after a growing pause. A lost
 * network is tried again as soon as the browser says that it is back.
 * @throws the trouble of the last attempt, or the reason of the signal
 */
export async function patiently<T>(run: () => Promise<T>, patience: Patience = {}): Promise<T> {
  const { signal, onWait, attempts = MOST_ATTEMPTS } = patience;
  for (let attempt = 1; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof Trouble) || !error.passes || attempt >= attempts) throw error;
      const growing = Math.min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE);
      const pause = Math.max(error.retryAfter ?? growing, SHORTEST_PAUSE);
      onWait?.(error, pause);
      await waitFor(pause, { signal, untilOnline: error.kind === 'offline' });
    }
  }
}

/** The members of a window that Node does not have: it says when the network is back. */
const network = globalThis as Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>;

function waitFor(
  milliseconds: number,
  { signal, untilOnline }: { signal: AbortSignal | undefined; untilOnline: boolean },
): Promise<void> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      network.removeEventListener?.('online', end);
      if (signal?.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end);
    if (untilOnline) network.addEventListener?.('online', end);
  });
}
