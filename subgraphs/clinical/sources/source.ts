import type { Resource } from 'fhir/r4.js';
import type { SearchParams } from '../search/search-params.ts';

export type { SearchParams } from '../search/search-params.ts';

/** A search that has passed authorization: the names are ones the tables know, our restrictions are among them. */
export interface SourceSearch {
  params: SearchParams;
  sort?: string;
  /** How many resources a page holds. */
  count: number;
  /** How many to leave out from the start. Ignored with a cursor. */
  offset?: number;
  /** Continues where a page of the same source ended. */
  cursor?: string;
  /** Whether `total` is wanted; it may cost. */
  total?: boolean;
  /** A server is asked to refuse what it does not know, instead of ignoring it (`Prefer: handling=strict`). */
  strict?: boolean;
}

/** One page of matches, in order. Only matches: no includes, no outcomes. */
export interface SearchPage {
  resources: Resource[];
  /** How many match in all, where it was asked for and the source knows. */
  total?: number;
  /** Opaque; continues this search. */
  next?: string;
}

/**
 * Where the record comes from (FG-7): one file per backend, one suite over all of them.
 * A source knows nothing of callers; `clinical.ts` hands it out only behind an Access.
 *
 * Every method throws Fault: `invalid_request` for a search value that cannot be read, `invalid_token` or `forbidden`
 * where the backend refuses the caller's token, `unavailable` with `retryAfter` where it is away, `bad_gateway` where it
 * answers nonsense (service `clinical`). What it returns is the caller's own: no other request holds it.
 */
export interface ClinicalSource {
  /** Absolute base of the FHIR server behind; references under it are its own. */
  readonly base?: string;
  /** Whether searches are answered in this process: then many small ones are cheaper than one that has to be split. */
  readonly local: boolean;

  /** The resources with these ids, in any order; ones that do not exist are left out. */
  read(type: string, ids: readonly string[], signal?: AbortSignal): Promise<Resource[]>;

  search(type: string, search: SourceSearch, signal?: AbortSignal): Promise<SearchPage>;

  /** Whether this source can answer the parameter, modifier included (`code:not`, `patient.identifier`). */
  supports(type: string, name: string): boolean;
}
