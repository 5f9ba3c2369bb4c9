import type { Resource } from 'fhir/r4.js';
import {
  decodeCursor,
  encodeCursor,
  mapNeighbours,
  neighbours,
  type Neighbours,
} from '../../../schema/fhir/paging.ts';
import type { Clinical } from './clinical.ts';
import type { Search } from './search.ts';
import { pageSize } from './limits.ts';
import type { SearchParams } from '../sources/source.ts';

/** One page with the cursors of its neighbours, for a GraphQL connection or the links of a Bundle. */
export interface Page extends Neighbours<string> {
  resources: Resource[];
  applied: SearchParams;
  sort?: string;
  count?: number;
  offset?: number;
  pagesize: number;
}

/** Pattern of a place: an offset, or the cursor of a source that continues its search. */
const PLACES = /^(\d{1,9}:?|(\d{1,9}:)?[/?].*)$/s;

/**
 * Returns one page of a search. Its cursors are opaque; they are places in the same search and grant nothing.
 * @throws Fault like `Clinical.search`, and `invalid_request` for a cursor that this server did not issue
 */
export async function pageOf(clinical: Clinical, type: string, search: Search): Promise<Page> {
  const size = Math.max(1, pageSize(search.count));
  const { cursor: encoded, offset: from = 0, ...rest } = search;
  const decoded = encoded === undefined ? undefined : decodeCursor(encoded, PLACES);
  // An offset is a place in a list of any source; other cursors are those of the source.
  const start = decoded === undefined ? from : /^\d+$/.test(decoded) ? Number(decoded) : undefined;
  const found = await clinical.search(type, {
    ...rest,
    count: size,
    ...(start === undefined ? { cursor: decoded! } : start > 0 && { offset: start }),
  });
  const { resources, applied, sort, total, next, offset = start } = found;
  const { next: _, ...around } = neighbours({ offset: offset ?? 0, size, total });
  return {
    resources,
    applied,
    ...(sort !== undefined && { sort }),
    pagesize: size,
    ...(total !== undefined && { count: total }),
    ...(offset !== undefined && { offset }),
    ...mapNeighbours<number | string, string>(
      { ...around, ...(next !== undefined && { next }) },
      encodeCursor,
    ),
  };
}
