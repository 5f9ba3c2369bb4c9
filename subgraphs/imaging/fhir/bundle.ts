import type { Bundle, BundleEntry, BundleLink } from 'fhir/r4.js';
import { faultOutcome, type Fault } from '../../../schema/fault/fault.ts';
import type { SearchEntry } from '../../../schema/fhir/fhir.ts';
import type { ImagingStudySearch } from './search.ts';

/**
 * A searchset (IA-20, FHIR R4 §3.1.1.3).
 * @param url of the resource type, absolute, without a query
 * @param total how many match in all
 */
export function searchset(
  url: string,
  search: ImagingStudySearch,
  total: number,
  entries: readonly SearchEntry[],
): Bundle {
  return {
    resourceType: 'Bundle',
    type: 'searchset',
    ...(search.total && { total }),
    link: links(url, search, total),
    ...(entries.length > 0 && { entry: entries.map(bundleEntry) }),
  };
}

/** What kept an image source from answering (DW-18), as an entry of mode `outcome` (FHIR R4 §3.1.1.4). */
export function outcomeEntry(fault: Fault): SearchEntry {
  const outcome = faultOutcome(fault);
  for (const issue of outcome.issue) issue.severity = 'warning';
  return { resource: outcome, mode: 'outcome' };
}

function bundleEntry({ resource, mode, fullUrl }: SearchEntry): BundleEntry {
  return { ...(fullUrl && { fullUrl }), resource, search: { mode } };
}

/** Pages carry everything they need in their own address: nothing is kept between them. */
function links(url: string, search: ImagingStudySearch, total: number): BundleLink[] {
  const { count, offset, applied, summary } = search;
  const self = { relation: 'self', url: address(url, applied) };
  if (summary === 'count' || total === 0) return [self];
  const page = (relation: string, start: number): BundleLink => ({
    relation,
    url: address(url, [
      ...applied.filter(([name]) => name !== '_offset' && name !== '_count'),
      ['_count', String(count)],
      ...(start > 0 ? [['_offset', String(start)] as const] : []),
    ]),
  });
  const lastStart = Math.floor((total - 1) / count) * count;
  const paged = lastStart > 0 || offset > 0;
  return [
    self,
    ...(paged ? [page('first', 0)] : []),
    ...(offset > 0 ? [page('previous', Math.max(0, Math.min(offset, total) - count))] : []),
    ...(offset + count < total ? [page('next', offset + count)] : []),
    ...(paged ? [page('last', lastStart)] : []),
  ];
}

function address(url: string, parameters: readonly (readonly [string, string])[]): string {
  const query = new URLSearchParams(
    parameters.map(([name, value]): [string, string] => [name, value]),
  ).toString();
  return query ? `${url}?${query}` : url;
}
