import type { Resource } from 'fhir/r4.js';
import type { Total } from '../../../schema/fhir/search-request.ts';
import type { SearchParams } from '../search/search-params.ts';

export type { SearchParams } from '../search/search-params.ts';

/** A search after authorization: it has only known parameters. */
export interface SourceSearch {
  params: SearchParams;
  /**
   * Logical ids of the patients in reach: the search, and every chain and `_has` in it, finds only resources in their
   * compartments. Undefined: all patients. A source may leave this to the caller's token where the token is bound to the
   * same patients; the results are checked again.
   */
  patients?: readonly string[];
  sort?: string;
  /** Resources on a page. */
  count: number;
  /** Resources to skip from the start. Ignored with a cursor. */
  offset?: number;
  /** Continues after a page of the same source. */
  cursor?: string;
  /** Undefined: not wanted. */
  total?: Total;
  /** Asks a server to refuse unknown parameters instead of ignoring them (`Prefer: handling=strict`). */
  strict?: boolean;
}

/** One page of matches, in order. Only matches: no includes, no outcomes. */
export interface SearchPage {
  resources: Resource[];
  /** Number of all matches, when it was requested and the source gives it. */
  total?: number;
  /** Number of matches before this page, when the source knows it. */
  offset?: number;
  /** Opaque; continues this search. */
  next?: string;
}

/**
 * A backend of the clinical record (FG-7): one file per backend, one suite for all of them. A source does not authorize
 * anything: `clinical.ts` gives it out only with an Access.
 *
 * Every method throws Fault: `invalid_request` for a search value that cannot be read, `invalid_token` or `forbidden`
 * when the backend refuses the caller's token, `unavailable` with `retryAfter` when it does not answer, `bad_gateway` when
 * its answer is invalid (service `clinical`). Returned objects are new: no other request shares them.
 */
export interface ClinicalSource {
  /** Absolute base of the FHIR server; references below it are references to this record. */
  readonly base?: string;
  /** True when searches are answered in this process: many small ones are then cheaper than one that has to be split. */
  readonly local: boolean;

  /** Returns the resources with these ids, in any order, without those that do not exist. */
  read(type: string, ids: readonly string[], signal?: AbortSignal): Promise<Resource[]>;

  search(type: string, search: SourceSearch, signal?: AbortSignal): Promise<SearchPage>;

  /** Returns true when this source supports the parameter with its modifier or chain (`code:not`, `patient.identifier`). */
  supports(type: string, name: string): boolean;
}
