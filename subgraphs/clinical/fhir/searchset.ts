import { hash } from 'node:crypto';
import type { Bundle, Resource } from 'fhir/r4.js';
import type { Fault } from '../../../schema/fault/fault.ts';
import { partOf } from '../../../schema/fhir/elements.ts';
import { isOnlyPage, mapNeighbours } from '../../../schema/fhir/search/paging.ts';
import type { Parameter, Parameters, Results } from '../../../schema/fhir/search/search-request.ts';
import { ignoredEntries, searchset, type SearchEntry } from '../../../schema/fhir/search/searchset.ts';
import type { Page } from '../record/page.ts';

interface Answer {
  /** Absolute base of the tenant's FHIR API. */
  base: string;
  /** Path that was searched below the base, such as `Condition` or `Patient/1/Condition`. */
  path: string;
  page: Page;
  /** Resources of the page that cannot be read at a URL. */
  made?: ReadonlySet<unknown> | undefined;
  results: Results;
  /** Resources that are added to the matches, and the parameters that ask for them. */
  included: { resources: readonly Resource[]; applied: Parameters };
  /** Notes about the answer, for an OperationOutcome. */
  warnings: readonly Fault[];
}

/** Returns the Bundle that answers a search (R4 §3.1.1.4). */
export function bundleOf({ base, path, page, made, results, included, warnings }: Answer): Bundle {
  const countOnly = results.summary === 'count';
  const entry = (mode: SearchEntry['mode']) => (resource: Resource) => ({
    fullUrl: made?.has(resource) ? uuidUrn(resource) : `${base}/${resource.resourceType}/${resource.id}`,
    resource: partOf(resource, results),
    mode,
  });
  return searchset({
    url: `${base}/${path}`,
    applied: appliedOf(page, included.applied, results),
    entries: [
      ...(countOnly ? [] : page.resources).map(entry('match')),
      ...included.resources.map(entry('include')),
      ...ignoredEntries(warnings),
    ],
    total: results.total === undefined && !countOnly ? undefined : page.count,
    pages:
      countOnly || isOnlyPage(page)
        ? undefined
        : {
            count: results.count,
            places: mapNeighbours(page, (cursor): Parameters => [['_cursor', cursor]]),
          },
  });
}

/** Returns a UUID of version 8 (RFC 9562 §5.8) that stays the same for the id. */
function uuidUrn({ id }: Resource): string {
  const digits = hash('sha256', id ?? '', 'hex');
  const part = (start: number, end: number): string => digits.slice(start, end);
  return `urn:uuid:${part(0, 8)}-${part(8, 12)}-8${part(13, 16)}-8${part(17, 20)}-${part(20, 32)}`;
}

/** Returns the parameters that were applied: the source may have left out parameters and sort keys. */
function appliedOf(
  { applied, sort }: Page,
  includes: Parameters,
  { elements, summary, count, offset, cursor }: Results,
): Parameters {
  const parameters: (Parameter | undefined)[] = [
    ...applied,
    ...includes,
    sort ? ['_sort', sort] : undefined,
    elements && ['_elements', elements.join(',')],
    summary && ['_summary', summary],
    summary === 'count' ? undefined : ['_count', String(count)],
    cursor !== undefined
      ? ['_cursor', cursor]
      : offset !== undefined
        ? ['_offset', String(offset)]
        : undefined,
  ];
  return parameters.filter((parameter) => parameter !== undefined);
}
