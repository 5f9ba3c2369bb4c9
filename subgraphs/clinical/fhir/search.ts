import type { Bundle, Resource } from 'fhir/r4.js';
import {
  readSearchRequest,
  type Parameter,
  type Parameters,
  type ResultRules,
  type Results,
} from '../../../schema/fhir/search-request.ts';
import { isOnlyPage, mapNeighbours } from '../../../schema/fhir/paging.ts';
import { searchset } from '../../../schema/fhir/searchset.ts';
import { onlyElements, subsetted } from '../../../schema/fhir/elements.ts';
import type { Search } from '../record/search.ts';
import { PAGE_LIMIT } from '../record/limits.ts';
import type { Page } from '../record/page.ts';

/** Result parameters of the record; `_include` and `_revinclude` are not supported. */
const RESULTS: ResultRules = {
  summaries: ['count', 'false'],
  defaultCount: 50,
  maxCount: PAGE_LIMIT,
  // The source decides by which keys it can sort.
  more: { _sort: () => true, _cursor: () => true },
};

/** A search of the record, and the form of its answer. */
interface RecordSearch {
  search: Search;
  results: Results;
}

/**
 * Reads the parameters of a search.
 * @throws Fault like `readSearchRequest`
 */
export function parseSearch(parameters: Parameters, strict: boolean): RecordSearch {
  const { criteria, results } = readSearchRequest(parameters, strict, RESULTS);
  const { count, offset, cursor, sort, summary } = results;
  const total = summary === 'count' ? 'accurate' : results.total;
  return {
    search: {
      // One resource is requested even when only the total is wanted: not every source counts without.
      ...{ params: criteria, count: Math.max(1, count), strict },
      ...(total !== undefined && { total }),
      ...(offset !== undefined && { offset }),
      ...(cursor !== undefined && { cursor }),
      ...(sort.length > 0 && { sort: sort.join(',') }),
    },
    results,
  };
}

/** Returns the elements of a resource that `_elements` names; the whole resource when it names none. */
export function partOf(resource: Resource, { elements }: Pick<Results, 'elements'>): Resource {
  return elements ? subsetted(onlyElements(resource, elements)) : resource;
}

/** Returns a page as a Bundle. @param base absolute URL without the type */
export function bundleOf(
  page: Page,
  { base, type }: { base: string; type: string },
  results: Results,
): Bundle {
  const { summary, count } = results;
  const countOnly = summary === 'count';
  return searchset({
    url: `${base}/${type}`,
    applied: appliedOf(page, results),
    entries: (countOnly ? [] : page.resources).map((resource) => ({
      fullUrl: `${base}/${type}/${resource.id}`,
      resource: partOf(resource, results),
      mode: 'match',
    })),
    total: results.total === undefined && !countOnly ? undefined : page.count,
    pages:
      countOnly || isOnlyPage(page)
        ? undefined
        : { count, places: mapNeighbours(page, (cursor): Parameters => [['_cursor', cursor]]) },
  });
}

/** Returns the parameters that were applied: the source may have left out parameters and sort keys. */
function appliedOf(
  { applied, sort }: Page,
  { elements, summary, count, offset, cursor }: Results,
): Parameters {
  const parameters: (Parameter | undefined)[] = [
    ...applied,
    sort ? ['_sort', sort] : undefined,
    elements && ['_elements', elements.join(',')],
    summary === 'count' ? ['_summary', 'count'] : ['_count', String(count)],
    cursor !== undefined
      ? ['_cursor', cursor]
      : offset !== undefined
        ? ['_offset', String(offset)]
        : undefined,
  ];
  return parameters.filter((parameter) => parameter !== undefined);
}
