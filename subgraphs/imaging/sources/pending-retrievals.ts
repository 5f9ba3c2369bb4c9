import { setMaxListeners } from 'node:events';
import { boundedCache } from '../../../schema/cache/bounded-cache.ts';
import { inTime } from './timeout.ts';

/** Seconds for which a retrieval that was too slow for one request is kept for the next. */
const KEPT_SECONDS = 120;
/** Number of kept retrievals. Each may hold a connection to an archive. */
const MOST_KEPT = 16;

interface Begun<T> {
  result: Promise<T>;
  end: AbortController;
}

export interface Patience {
  /** Seconds to wait. */
  seconds: number;
  /** Ends the retrieval while it is waited for. */
  request?: AbortSignal | undefined;
  /** Called when the time is over. */
  onLate?: () => void;
}

/**
 * Retrievals that take longer than the timeout of their request (IA-19, IA-27). They continue, and the next identical
 * request takes their result. That request is authorized before (IA-29). A retrieval without a next request is ended.
 */
export class PendingRetrievals {
  readonly #kept = boundedCache<Begun<unknown>>({
    entries: MOST_KEPT,
    seconds: KEPT_SECONDS,
    purge: true,
    dispose: ({ end }, _key, reason) => {
      if (reason !== 'delete') end.abort();
    },
  });

  /**
   * Waits for a retrieval, and keeps it for the next identical request when it is too slow.
   * @param key names tenant, source and everything that is retrieved
   * @param work gets a signal that aborts with the request, or when the result is no longer kept
   * @throws Fault `unavailable` with `retryAfter` when it is too slow
   */
  async patiently<T>(
    key: string,
    work: (signal: AbortSignal) => Promise<T>,
    { seconds, request, onLate }: Patience,
  ): Promise<T> {
    const begun = this.#take<T>(key) ?? begin(work);
    const leave = () => begun.end.abort(request?.reason);
    if (request?.aborted) leave();
    // Node would warn of a leak, but these listeners end with the request.
    if (request) setMaxListeners(0, request);
    request?.addEventListener('abort', leave, { once: true });
    return inTime(begun.result, seconds, () => {
      request?.removeEventListener('abort', leave);
      this.#keep(key, begun);
      onLate?.();
    });
  }

  close(): void {
    for (const { end } of this.#kept.values()) end.abort();
    this.#kept.clear();
  }

  /** Takes a kept retrieval. It is taken once, because its result may be a stream. */
  #take<T>(key: string): Begun<T> | undefined {
    const begun = this.#kept.get(key) as Begun<T> | undefined;
    this.#kept.delete(key);
    return begun;
  }

  #keep(key: string, begun: Begun<unknown>): void {
    this.#kept.set(key, begun);
    // After a failure the next request starts a new retrieval.
    begun.result.catch(() => this.#kept.peek(key) === begun && this.#kept.delete(key));
  }
}

function begin<T>(work: (signal: AbortSignal) => Promise<T>): Begun<T> {
  const end = new AbortController();
  return { result: work(end.signal), end };
}
