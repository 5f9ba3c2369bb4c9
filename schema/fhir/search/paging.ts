import { Fault } from '../../fault/fault.ts';
import { foreignCursor } from '../../fault/refusals.ts';

/** Pages of a list: the places of their neighbours, and opaque cursors (R4 §3.1.1.4). */

/** Resources on the largest page. */
export const LARGEST_PAGE = 1_000;

/**
 * Refuses the `_count` of a page that no list has: a shorter page would pass for the whole (FG-2).
 * @throws Fault `invalid_request`, which says how to read on
 */
export function requirePageSize(type: string, count: number): void {
  if (count < 0) throw new Fault('invalid_request', '_count must not be negative.');
  if (count <= LARGEST_PAGE) return;
  throw new Fault(
    'invalid_request',
    `_count is at most ${LARGEST_PAGE}, the largest page. Read the pages of ${type}Connection by next (_cursor), or all of its rows as a stream (Accept: application/x-ndjson or text/csv).`,
  );
}

/** Places of the pages around a page. */
export interface Neighbours<Place> {
  first: Place;
  previous?: Place;
  next?: Place;
  /** Undefined when the total is not known. */
  last?: Place;
}

/**
 * Returns the offsets of the pages around a page.
 * @param page `size` is at least 1; without a `total` there is no `next` and no `last`
 */
export function neighbours(page: {
  offset: number;
  size: number;
  total?: number | undefined;
}): Neighbours<number> {
  const { offset, size, total } = page;
  const previous = offset > 0 ? Math.max(0, Math.min(offset, total ?? offset) - size) : undefined;
  if (total === undefined) return { first: 0, previous };
  const next = offset + size < total ? offset + size : undefined;
  return { first: 0, previous, next, last: lastOffset(total, size) };
}

/** Returns true when there is no other page. @param page `offset` is undefined when a cursor of the source led to it */
export function isOnlyPage(page: { offset?: number; next?: unknown }): boolean {
  return page.offset === 0 && page.next === undefined;
}

/** Converts each place with `write`. */
export function mapNeighbours<From, To>(
  { first, previous, next, last }: Neighbours<From>,
  write: (place: From) => To,
): Neighbours<To> {
  const written = (place: From | undefined) => (place === undefined ? undefined : write(place));
  return { first: write(first), previous: written(previous), next: written(next), last: written(last) };
}

/** Returns the offset of the last page of a list. */
function lastOffset(total: number, size: number): number {
  return Math.max(0, Math.ceil(total / size) - 1) * size;
}

/** Encodes a place in a search as a cursor. It is opaque to clients and grants nothing. */
export function encodeCursor(place: number | string): string {
  return Buffer.from(String(place)).toString('base64url');
}

/**
 * Decodes a cursor to its place.
 * @param places pattern of a place of this search
 * @throws Fault `invalid_request` for a cursor that this server did not issue
 */
export function decodeCursor(cursor: string, places: RegExp): string {
  const place = Buffer.from(cursor, 'base64url').toString();
  if (places.test(place)) return place;
  throw foreignCursor();
}
