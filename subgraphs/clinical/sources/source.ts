import type { BundleEntry, Resource } from 'fhir/r4.js';
import type { Facet } from '../../../schema/fhir/facets.ts';
import type { Total } from '../../../schema/fhir/search/search-request.ts';
import type { SearchParams } from '../search/search-params.ts';

export type { SearchParams } from '../search/search-params.ts';

/** Resources on a page of a FHIR server. Some servers refuse larger pages, or silently return fewer resources. */
export const MAX_REMOTE_PAGE = 1_000;

/**
 * Several searches, sorted by date, for one page that has the newest of all that they find. A source that answers them
 * together may shorten a list by what is too old for the page; the newest of what is left out stays. With several keys of
 * `sort`, the date of a resource is that of the first key that it has.
 */
export interface NewestOf {
  /** A UUID of the page, the same for each of its searches. */
  page: string;
  /** Resources that the page needs, of all searches that count. */
  size: number;
  /** True when each resource of this search counts towards the size. */
  counts: boolean;
  /** Milliseconds by which resources may be older than the last of the page, and are needed still. Infinity: all are. */
  margin: number;
}

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
  /** The caller wants an error instead of an answer to which a parameter was not applied (`Prefer: handling=strict`). */
  strict?: boolean;
  newestOf?: NewestOf;
}

/** The values to count: of a token parameter, and the largest number of values. */
export interface FacetsWanted {
  code: string;
  limit: number;
}

/** The values to count, and the resources of which they are counted. */
export type FacetSearch = FacetsWanted & Pick<SourceSearch, 'params' | 'patients'>;

/** A search of which only the ids are wanted. */
export type IdSearch = Pick<SourceSearch, 'params' | 'patients'> & {
  /** Ids that are given at most. */
  most: number;
};

/** One page of matches, in order. Only matches: no includes, no outcomes. */
export interface SearchPage {
  resources: Resource[];
  /** Number of all matches, when it was requested and the source gives it. */
  total?: number;
  /** Number of matches before this page, when the source knows it. */
  offset?: number;
  /** Opaque; continues this search. */
  next?: string;
  /** Number of matches that the backend returned, when more than `resources`: some were left out here. */
  looked?: number;
  /** Names of parameters, and `_sort`, that neither the backend nor this gateway could apply: the page is too wide. */
  notApplied?: readonly string[];
  /** True when there are more matches, but the backend gives no way to reach them. There is no `next` then. */
  incomplete?: boolean;
  /** True when `next` begins another search for the same list, whose matches may be among those found. */
  mayRepeat?: boolean;
  /**
   * Of a page that was shortened as `newestOf` allows: all with a later date are here; milliseconds since the epoch. Without
   * `next`, only another search finds what was left out.
   */
  completeAfter?: number;
}

/** A page as its text: each resource as `writeFhirJson` writes it. */
export interface TextPage extends Pick<SearchPage, 'next'> {
  texts: readonly string[];
}

/** Names one resource of the record. */
export interface ResourceName {
  type: string;
  id: string;
}

/** The versions of a resource that are wanted. */
export interface HistorySearch {
  /** Versions on a page. */
  count: number;
  /** Continues after a page of the same history. */
  cursor?: string;
  /** Only versions since this FHIR instant. */
  since?: string;
}

/** One version; a deletion has no resource. `request` and `response` are those of the source, if it states them. */
export type Version = Pick<BundleEntry, 'request' | 'response'> & { resource?: Resource };

export interface HistoryPage {
  /** Newest first. */
  versions: Version[];
  /** Opaque; continues this history. */
  next?: string;
}

/** Declarations of a backend for one resource type in its CapabilityStatement (R4 §5.2). */
export interface TypeCapabilities {
  /** `read`, `vread`, `history-instance`, `search-type`, … */
  interactions: ReadonlySet<string>;
  /** Codes of search parameters. */
  searchParameters: ReadonlySet<string>;
  /** Values of `_include`: `Observation:subject`, `*`. */
  includes: ReadonlySet<string>;
  revincludes: ReadonlySet<string>;
}

/** The types that a backend declares. A type that is missing is not offered. */
export type SourceCapabilities = ReadonlyMap<string, TypeCapabilities>;

/** Ids of the patients in the caller's reach. A source that keeps answers tells by them which callers are alike. */
export type PatientsInReach = readonly string[] | 'all' | undefined;

export interface ReadOptions {
  /** Undefined: not known, so that nothing is kept. */
  patients?: PatientsInReach;
  signal?: AbortSignal | undefined;
}

/** Facts about one resource. */
export interface AtHand {
  /** Undefined: it does not exist. */
  resource: Resource | undefined;
}

/**
 * A backend of the clinical record (FG-7): one file per backend, one suite for all of them. A source does not authorize
 * anything: `clinical.ts` gives it out only with an Access.
 *
 * Every method throws Fault: `invalid_request` for a search value that cannot be read, `invalid_token` or `forbidden`
 * when the backend refuses the caller's token, `unavailable` with `retryAfter` when it does not answer, `bad_gateway` when
 * its answer is invalid (service `clinical`). Returned objects are new or frozen.
 */
export interface ClinicalSource {
  /** Absolute base of the FHIR server; references below it are references to this record. */
  readonly base?: string;
  /** True when searches are answered in this process: many small ones are then cheaper than one that has to be split. */
  readonly local: boolean;

  /** Returns the resources with these ids, in any order, without those that do not exist. */
  read(type: string, ids: readonly string[], options?: ReadOptions): Promise<Resource[]>;

  /** Returns what is in memory of a resource, which may be that it does not exist; undefined for nothing. */
  atHand?(type: string, id: string, patients: PatientsInReach): AtHand | undefined;

  search(type: string, search: SourceSearch, signal?: AbortSignal): Promise<SearchPage>;

  /** As `search`, for a list that is only passed on. Left out by sources that have no texts. */
  searchTexts?(type: string, search: SourceSearch, signal?: AbortSignal): Promise<TextPage>;

  /** Returns the ids of what a search finds, in any order. Left out by sources that have to read the resources for it. */
  ids?(type: string, search: IdSearch, signal?: AbortSignal): Promise<readonly string[]>;

  /**
   * Counts the values of a search parameter among all that a search finds, the most frequent first. Left out by sources that
   * cannot count.
   */
  facets?(type: string, search: FacetSearch, signal?: AbortSignal): Promise<Facet[]>;

  /** Returns false when the backend is known to have no resource of the type: it need not be searched. */
  holds(type: string): boolean | Promise<boolean>;

  /** Returns what the backend declares; undefined when nothing is known. A source without it has all that it supports. */
  capabilities?(): Promise<SourceCapabilities | undefined>;

  /** Returns true when this source supports the parameter with its modifier or chain (`code:not`, `patient.identifier`). */
  supports(type: string, name: string): boolean;

  /** Sorts all matches of a search, for a backend that does not sort them; undefined when that is not possible here. */
  sorted?(type: string, resources: readonly Resource[], sort: string): Resource[] | undefined;

  /** Returns one version of a resource; undefined when there is none. Left out by sources that keep no versions. */
  version?(named: ResourceName, versionId: string, signal?: AbortSignal): Promise<Resource | undefined>;

  /** Returns one page of the versions of a resource. Left out by sources that keep no versions. */
  history?(named: ResourceName, search: HistorySearch, signal?: AbortSignal): Promise<HistoryPage>;
}
