import { foreignCursor } from '../fault/refusals.ts';

/** Pages of a list: where their neighbours are, and the opaque cursors that lead there (R4 §3.1.1.4). */

/** Places of the pages around a page. */
export interface Neighbours<Place> {
  first: Place;
  previous?: Place;
  next?: Place;
  /** Undefined where the total is not known. */
  last?: Place;
}

/**
 * The pages around a page of a list, as offsets.
 * @param page `size` at least 1; `total` undefined where it is not known, which leaves out `next` and `last`
 */
export function neighbours(page: {
  offset: number;
  size: number;
  total?: number | undefined;
}): Neighbours<number> {
  const { offset, size, total } = page;
  const previous = Math.max(0, Math.min(offset, total ?? offset) - size);
  return {
    first: 0,
    ...(offset > 0 && { previous }),
    ...(total !== undefined && {
      ...(offset + size < total && { next: offset + size }),
      last: lastOffset(total, size),
    }),
  };
}

/** Whether a page is all there is. @param page `offset` undefined where a source's own cursor led to it */
export function isOnlyPage(page: { offset?: number; next?: unknown }): boolean {
  return page.offset === 0 && page.next === undefined;
}

/** The same places, written in another way. */
export function mapNeighbours<From, To>(
  { first, previous, next, last }: Neighbours<From>,
  write: (place: From) => To,
): Neighbours<To> {
  return {
    first: write(first),
    ...(previous !== undefined && { previous: write(previous) }),
    ...(next !== undefined && { next: write(next) }),
    ...(last !== undefined && { last: write(last) }),
  };
}

/** Where the last page of a list begins. */
function lastOffset(total: number, size: number): number {
  return Math.max(0, Math.ceil(total / size) - 1) * size;
}

/** A cursor for a place in a search. It is opaque to clients and grants nothing. */
export function encodeCursor(place: number | string): string {
  return Buffer.from(String(place)).toString('base64url');
}

/**
 * The place that a cursor stands for.
 * @param places what a place of this search looks like
 * @throws Fault `invalid_request` for a cursor that is not ours
 */
export function decodeCursor(cursor: string, places: RegExp): string {
  const place = Buffer.from(cursor, 'base64url').toString();
  if (places.test(place)) return place;
  throw foreignCursor();
}
