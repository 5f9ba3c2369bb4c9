import { setMaxListeners } from 'node:events';
import { LRUCache } from 'lru-cache';
import { inTime } from './timeout.ts';

/** Seconds for which a retrieval that came too late for one request is kept for the next. */
const KEPT_SECONDS = 120;
/** Each may hold a connection to an archive. */
const MOST_KEPT = 16;

interface Begun<T> {
  result: Promise<T>;
  end: AbortController;
}

/**
 * Retrievals that outlast the patience of those who began them (IA-19, IA-27): they go on, and the next identical request
 * takes what has come of them. Whether its caller may have it was decided for that request before (IA-29). One that
 * nobody comes for is ended.
 */
export class PendingRetrievals {
  readonly #kept = new LRUCache<string, Begun<unknown>>({
    max: MOST_KEPT,
    ttl: KEPT_SECONDS * 1000,
    ttlAutopurge: true,
    dispose: ({ end }, _key, reason) => {
      if (reason !== 'delete') end.abort();
    },
  });

  /**
   * @param key names tenant, source and all that is retrieved
   * @param work is given a signal that ends when the request does, or when nobody wants the result any more
   * @param seconds of patience
   * @throws Fault `unavailable` with `retryAfter` when it is not in time
   */
  async patiently<T>(
    key: string,
    work: (signal: AbortSignal) => Promise<T>,
    seconds: number,
    request?: AbortSignal,
  ): Promise<T> {
    const begun = this.#take<T>(key) ?? begin(work);
    const leave = () => begun.end.abort(request?.reason);
    if (request?.aborted) leave();
    // As many as one request retrieves, and no longer than it lasts: that is no leak to be warned of.
    if (request) setMaxListeners(0, request);
    request?.addEventListener('abort', leave, { once: true });
    return inTime(begun.result, seconds, () => {
      request?.removeEventListener('abort', leave);
      this.#keep(key, begun);
    });
  }

  close(): void {
    for (const { end } of this.#kept.values()) end.abort();
    this.#kept.clear();
  }

  /** A result is taken once: it may be a stream. */
  #take<T>(key: string): Begun<T> | undefined {
    const begun = this.#kept.get(key) as Begun<T> | undefined;
    this.#kept.delete(key);
    return begun;
  }

  #keep(key: string, begun: Begun<unknown>): void {
    this.#kept.set(key, begun);
    // What failed is begun anew by whoever comes next.
    begun.result.catch(() => this.#kept.peek(key) === begun && this.#kept.delete(key));
  }
}

function begin<T>(work: (signal: AbortSignal) => Promise<T>): Begun<T> {
  const end = new AbortController();
  return { result: work(end.signal), end };
}
