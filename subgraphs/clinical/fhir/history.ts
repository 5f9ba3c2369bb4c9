import type { Bundle, BundleEntry } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { storedVersion } from '../../../schema/fhir/conditional-read.ts';
import { dateRange } from '../../../schema/fhir/date-range.ts';
import { partOf } from '../../../schema/fhir/elements.ts';
import { decodeCursor, encodeCursor } from '../../../schema/fhir/search/paging.ts';
import {
  lastValue,
  readSearchRequest,
  unsupported,
  type Parameters,
  type ResultRules,
  type Results,
} from '../../../schema/fhir/search/search-request.ts';
import type { HistoryPage, HistorySearch, Version } from '../sources/source.ts';

/** The history of one resource as a Bundle (R4 §3.1.0.4). */

const RESULTS: ResultRules = {
  defaultCount: 50,
  maxCount: 1_000,
  more: { _since: () => true, _cursor: () => true },
};

/**
 * Reads the parameters of a history.
 * @throws Fault `unsupported_parameter` for all others, because a history has no place to say what was ignored;
 *   `invalid_request` for a bad value
 */
export function parseHistory(parameters: Parameters): { search: HistorySearch; results: Results } {
  const { criteria, results } = readSearchRequest(parameters, true, RESULTS);
  if (criteria.length > 0) throw unsupported(criteria[0]![0]);
  const since = lastValue(parameters, '_since');
  if (since !== undefined && (!/T.*(Z|[+-]\d\d:\d\d)$/.test(since) || !dateRange(since))) {
    throw new Fault('invalid_request', '_since takes an instant, such as 2026-01-31T12:00:00Z.');
  }
  const cursor = results.cursor === undefined ? undefined : decodeCursor(results.cursor, /^[/?]/);
  return {
    search: {
      // A source counts only what it gives.
      count: isCounted(results) ? RESULTS.maxCount : results.count,
      since,
      cursor,
    },
    results,
  };
}

/** Returns true when only the number of versions is wanted. */
const isCounted = ({ summary }: Results): boolean => summary === 'count';

/** Returns a page of a history. @param url absolute, of the history, without a query */
export function historyBundle(
  { versions, next }: HistoryPage,
  { base, type, id }: { base: string; type: string; id: string },
  { search, results }: { search: HistorySearch; results: Results },
): Bundle {
  const name = `${type}/${id}`;
  const address = (cursor: string | undefined): string => {
    const query = new URLSearchParams(search.since === undefined ? {} : { _since: search.since });
    query.set('_count', String(results.count));
    if (cursor !== undefined) query.set('_cursor', encodeCursor(cursor));
    return `${base}/${name}/_history?${query.toString()}`;
  };
  const isWhole = search.cursor === undefined && next === undefined;
  return {
    resourceType: 'Bundle',
    type: 'history',
    ...(isWhole && { total: versions.length }),
    link: [
      { relation: 'self', url: address(search.cursor) },
      ...(next === undefined || isCounted(results) ? [] : [{ relation: 'next', url: address(next) }]),
    ],
    ...(versions.length > 0 &&
      !isCounted(results) && {
        entry: versions.map((version) => historyEntry(version, { base, name }, results)),
      }),
  };
}

/** A version with the request that made it and its answer: a history needs both (R4 §2.36.4, bdl-3 and bdl-4). */
function historyEntry(
  { resource, request, response }: Version,
  { base, name }: { base: string; name: string },
  results: Results,
): BundleEntry {
  const { etag, 'last-modified': _ } = resource ? storedVersion(resource) : {};
  const lastModified = response?.lastModified ?? resource?.meta?.lastUpdated;
  const method = request?.method ?? (resource ? 'PUT' : 'DELETE');
  return {
    fullUrl: `${base}/${name}`,
    ...(resource && { resource: partOf(resource, results) }),
    request: { method, url: method === 'POST' ? name.split('/')[0]! : name },
    response: { status: response?.status ?? (resource ? '200' : '204'), etag, lastModified },
  };
}
