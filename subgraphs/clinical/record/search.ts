import type { SearchPage, SearchParams } from '../sources/source.ts';

/** A search as a client asks it. */
export interface Search {
  params: SearchParams;
  /** `-date,code`. */
  sort?: string;
  count?: number;
  offset?: number;
  cursor?: string;
  total?: boolean;
  /** A parameter that is not known is an error (`Prefer: handling=strict`), not ignored. */
  strict?: boolean;
}

export interface SearchResult extends SearchPage {
  /** The client's parameters that were used. */
  applied: SearchParams;
  /** Its sort keys that were. */
  sort?: string;
}
