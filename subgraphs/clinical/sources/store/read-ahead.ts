import { boundedCache } from '../../../../schema/cache/bounded-cache.ts';
import type { SourceSearch } from '../source.ts';

/** Pages that are kept: each is of another caller who reads a long list. */
const KEPT = 4;
/** Seconds for which a page is kept. */
const KEPT_SECONDS = 2;
/** Resources on a page of a caller who reads a list to its end. A screen shows fewer. */
const LONG_PAGE = 100;

interface Kept<T> {
  search: SourceSearch;
  page: Promise<T>;
}

/**
 * Pages that are read while their caller still works on the page before: a thread finds them, the event loop writes rows.
 * A page is given once, and only to who asks for the same resources of the same patients.
 */
export class ReadAhead<T> {
  readonly #pages = boundedCache<Kept<T>>({ entries: KEPT, seconds: KEPT_SECONDS });

  /** Returns true for a search whose next page will be asked for. */
  static isWorthIt({ cursor, count, total, newestOf }: SourceSearch): boolean {
    return cursor !== undefined && count >= LONG_PAGE && total === undefined && newestOf === undefined;
  }

  put(type: string, search: SourceSearch, page: Promise<T>): void {
    // It may fail before anyone asks for it.
    page.catch(() => undefined);
    this.#pages.set(keyOf(type, search), { search, page });
  }

  /** Forgets all pages: the content of the store is another one. */
  clear(): void {
    this.#pages.clear();
  }

  /** Returns the page that a search asks for, and forgets it; undefined if it was not read. */
  take(type: string, search: SourceSearch): Promise<T> | undefined {
    const key = keyOf(type, search);
    const kept = this.#pages.get(key);
    if (!kept || !areSame(kept.search.patients, search.patients)) return undefined;
    this.#pages.delete(key);
    return kept.page;
  }
}

const keyOf = (type: string, { cursor, count, sort, params }: SourceSearch): string =>
  JSON.stringify([type, cursor, count, sort, params]);

/** Compares lists of patients. They are too long for a key. */
function areSame(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  if (one === other) return true;
  return one?.length === other?.length && one!.every((id, at) => id === other![at]);
}
