import { unreadable } from './fhir-server-fault.ts';

/** Enough for the largest answer in pages of 20 resources. */
const MAX_PAGES = 1_000;

/** The pages that one search has followed. Without this, a server with links in a circle would be followed for ever. */
export class FollowedPages {
  readonly #cursors: Set<string>;

  /** @param start cursor at which the search begins; undefined for its first page */
  constructor(start?: string) {
    this.#cursors = new Set(start === undefined ? [] : [start]);
  }

  /** @throws Fault `bad_gateway` for a page that was already followed, and for too many pages */
  follow(cursor: string): void {
    if (this.#cursors.has(cursor)) throw unreadable('its pages lead in a circle');
    if (this.#cursors.size >= MAX_PAGES) throw unreadable(`a search has more than ${MAX_PAGES} pages`);
    this.#cursors.add(cursor);
  }
}
