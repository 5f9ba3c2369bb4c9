import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Clinical } from './clinical.ts';
import type { Search } from './search.ts';
import { pageSize } from './limits.ts';
import type { SearchParams } from '../sources/source.ts';

/** One page with the way to its neighbours, as a GraphQL connection and a Bundle's links say it. */
export interface Page {
  resources: Resource[];
  applied: SearchParams;
  sort?: string;
  count?: number;
  offset?: number;
  pagesize: number;
  first: string;
  previous?: string;
  next?: string;
  last?: string;
}

/**
 * One page of a search. Its cursors are opaque; they stand for a place in the same search and grant nothing.
 * @throws Fault as `Clinical.search` does, and `invalid_request` for a cursor that is not ours
 */
export async function pageOf(clinical: Clinical, type: string, search: Search): Promise<Page> {
  const size = Math.max(1, pageSize(search.count));
  const { cursor: encoded, offset: from = 0, ...rest } = search;
  const decoded = encoded === undefined ? undefined : decodeCursor(encoded);
  // An offset is a place in any source's list; other cursors are the source's own.
  const offset = decoded === undefined ? from : /^\d+$/.test(decoded) ? Number(decoded) : undefined;
  const found = await clinical.search(type, {
    ...rest,
    count: size,
    ...(offset === undefined ? { cursor: decoded! } : offset > 0 && { offset }),
  });
  const { resources, applied, sort, total, next } = found;
  return {
    resources,
    applied,
    ...(sort !== undefined && { sort }),
    pagesize: size,
    first: encodeCursor('0'),
    ...(total !== undefined && { count: total }),
    ...(offset !== undefined && { offset }),
    ...(offset !== undefined && offset > 0 && { previous: encodeCursor(String(Math.max(0, offset - size))) }),
    ...(next !== undefined && { next: encodeCursor(next) }),
    ...(total !== undefined && { last: encodeCursor(String(lastOffset(total, size))) }),
  };
}

function lastOffset(total: number, size: number): number {
  return Math.max(0, Math.ceil(total / size) - 1) * size;
}

function encodeCursor(cursor: string): string {
  return Buffer.from(cursor).toString('base64url');
}

function decodeCursor(cursor: string): string {
  const decoded = Buffer.from(cursor, 'base64url').toString();
  if (!/^(\d{1,9}:?|(\d{1,9}:)?[/?].*)$/s.test(decoded)) {
    throw new Fault('invalid_request', 'The cursor is not one of ours.');
  }
  return decoded;
}
