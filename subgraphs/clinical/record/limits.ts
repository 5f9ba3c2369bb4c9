import { Fault } from '../../../schema/fault/fault.ts';

/** Largest number of resources in a list without paging (FG-2). */
export const LIST_LIMIT = 1_000;
/** Largest number of resources on a page. */
export const PAGE_LIMIT = 1_000;

/**
 * Returns the size of a page.
 * @throws Fault `invalid_request` for a negative count
 */
export function pageSize(count = PAGE_LIMIT): number {
  if (count < 0) throw new Fault('invalid_request', '_count must not be negative.');
  return Math.min(count, PAGE_LIMIT);
}

/** Returns true when a list was asked for by page: with a count that a page can have. */
export function isPage({ count }: { count?: number }): boolean {
  return count !== undefined && count <= PAGE_LIMIT;
}

/**
 * Refuses a list that is too long; it is never truncated silently (FG-2).
 * @throws Fault `too_large`, which says how to page
 */
export function requireListable(type: string, length: number): void {
  if (length <= LIST_LIMIT) return;
  throw new Fault(
    'too_large',
    `More than ${LIST_LIMIT} ${type} resources match. Ask for pages with _count and _offset or ${type}Connection.`,
  );
}
