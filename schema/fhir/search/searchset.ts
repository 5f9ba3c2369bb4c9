import type { Bundle, BundleEntry, BundleLink, Resource } from 'fhir/r4.js';
import { faultOutcome, type Fault } from '../../fault/fault.ts';
import { Derivation } from '../../process/derivation.ts';
import type { Neighbours } from './paging.ts';
import type { Parameter, Parameters } from './search-request.ts';

/** One entry of a searchset (R4 §3.1.1.4). */
export interface SearchEntry {
  resource: Resource;
  mode: 'match' | 'include' | 'outcome';
  /** Absolute URL; `urn:uuid:` when the resource has no URL of its own to read it; undefined for an outcome. */
  fullUrl?: string;
}

interface Searchset {
  /** Absolute URL of what was searched, without a query. */
  url: string;
  /** Parameters that were applied: the query of the self link. */
  applied: Parameters;
  entries: readonly SearchEntry[];
  /** Number of all matches; undefined when it is not known or not wanted. */
  total?: number | undefined;
  /** The pages around this one; undefined when there are no others. */
  pages?: Pages | undefined;
}

export interface Pages {
  /** Resources on a page. */
  count: number;
  /** Parameters of each page; an empty list is the first page. */
  places: Neighbours<Parameters>;
}

/**
 * Builds the Bundle that answers a search (IA-20, R4 §3.1.1.4). A link holds the whole search: the server keeps nothing
 * between pages.
 */
export function searchset({ url, applied, entries, total, pages }: Searchset): Bundle {
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    total,
    link: [
      { relation: 'self', url: address(url, applied) },
      ...(pages ? pageLinks(url, applied, pages) : []),
    ],
    // An array of FHIR JSON is never empty (R4 §2.6.2).
    ...(entries.length > 0 && { entry: bundleEntries(entries) }),
  };
}

/** Returns an entry of mode `outcome` that says why a source did not answer (DW-18, R4 §3.1.1.4.1). */
export function outcomeEntry(fault: Fault): SearchEntry {
  const outcome = faultOutcome(fault);
  for (const issue of outcome.issue) issue.severity = 'warning';
  return { resource: outcome, mode: 'outcome' };
}

/**
 * Returns the entry that says what was left out of a search, one issue for each (R4 §3.1.1.1, §3.1.1.4.1; IA-38); none when
 * nothing was.
 */
export function ignoredEntries(ignored: readonly Fault[]): SearchEntry[] {
  if (ignored.length === 0) return [];
  const issue = ignored.flatMap((fault) => faultOutcome(fault).issue);
  const warnings = issue.map((one) => ({ ...one, severity: 'warning' as const }));
  return [{ resource: { resourceType: 'OperationOutcome', issue: warnings } as Resource, mode: 'outcome' }];
}

const kept = new Derivation<readonly SearchEntry[], BundleEntry[]>();

/** The entries of a Bundle; a frozen list gets the same frozen list each time. */
function bundleEntries(entries: readonly SearchEntry[]): BundleEntry[] {
  if (!Object.isFrozen(entries)) return entries.map(bundleEntry);
  return kept.of(entries, [], () => Object.freeze(entries.map(bundleEntry)) as BundleEntry[]);
}

function bundleEntry({ resource, mode, fullUrl }: SearchEntry): BundleEntry {
  return { ...(fullUrl && { fullUrl }), resource: resource, search: { mode } };
}

const RELATIONS = ['first', 'previous', 'next', 'last'] as const;
const PLACE_PARAMETERS = new Set(['_count', '_offset', '_cursor']);

function pageLinks(url: string, applied: Parameters, { count, places }: Pages): BundleLink[] {
  const kept: Parameter[] = applied.filter(([name]) => !PLACE_PARAMETERS.has(name));
  return RELATIONS.flatMap((relation) => {
    const place = places[relation];
    if (!place) return [];
    return [{ relation, url: address(url, [...kept, ['_count', String(count)], ...place]) }];
  });
}

function address(url: string, parameters: Parameters): string {
  const query = new URLSearchParams(
    parameters.map(([name, value]): [string, string] => [name, value]),
  ).toString();
  return query ? `${url}?${query}` : url;
}
