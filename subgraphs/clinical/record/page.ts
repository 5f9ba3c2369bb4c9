import type { Resource } from 'fhir/r4.js';
import type { Fault } from '../../../schema/fault/fault.ts';
import {
  decodeCursor,
  encodeCursor,
  LARGEST_PAGE,
  mapNeighbours,
  neighbours,
  type Neighbours,
} from '../../../schema/fhir/search/paging.ts';
import type { Clinical } from './clinical.ts';
import type { Search } from './search.ts';
import { searchAlone, type Relation } from './related.ts';
import type { SearchParams } from '../sources/source.ts';

/** One page with the cursors of its neighbours, for a GraphQL connection or the links of a Bundle. */
export interface Page extends Neighbours<string> {
  resources: Resource[];
  applied: SearchParams;
  sort?: string;
  /** One for each part that was left out of the search. */
  ignored: readonly Fault[];
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
  const size = sizeOf(search);
  const { cursor, offset: _, ...rest } = search;
  const start = offsetOf(search);
  const found = await clinical.search(type, {
    ...rest,
    count: size,
    ...(start === undefined ? { cursor: placeOf(cursor!) } : start > 0 && { offset: start }),
  });
  const { resources, applied, sort, ignored, total, next, offset = start } = found;
  const { next: __, ...around } = neighbours({ offset: offset ?? 0, size, total });
  return {
    resources,
    applied,
    ignored,
    sort,
    pagesize: size,
    count: total,
    offset,
    ...mapNeighbours<number | string, string>({ ...around, next }, encodeCursor),
  };
}

/**
 * Returns one page of the resources that refer to one resource. Pages of many resources become one search (FG-6).
 * @throws Fault like `pageOf`
 */
export async function relatedPageOf(clinical: Clinical, relation: Relation, search: Search): Promise<Page> {
  const offset = offsetOf(search);
  const all = offset === undefined ? undefined : await clinical.relatedTogether(relation, search);
  if (offset === undefined || !all) return pageOf(clinical, relation.type, searchAlone(relation, search));
  const size = sizeOf(search);
  return {
    resources: all.slice(offset, offset + size),
    applied: search.params,
    ignored: [],
    pagesize: size,
    count: all.length,
    offset,
    ...mapNeighbours(neighbours({ offset, size, total: all.length }), encodeCursor),
  };
}

const sizeOf = ({ count = LARGEST_PAGE }: Search): number => Math.max(1, count);
const placeOf = (cursor: string): string => decodeCursor(cursor, PLACES);

/** Returns where a page starts; undefined for a cursor of the source. An offset is a place in a list of any source. */
function offsetOf({ cursor, offset = 0 }: Search): number | undefined {
  if (cursor === undefined) return offset;
  const place = placeOf(cursor);
  return /^\d+$/.test(place) ? Number(place) : undefined;
}
