import { Fault } from '../../../schema/fault/fault.ts';

/** How many resources a list may have unless it is asked for by page (FG-2). */
export const LIST_LIMIT = 1_000;
/** The largest page. */
const PAGE_LIMIT = 1_000;

/**
 * The size of a page.
 * @throws Fault `invalid_request` for a negative one
 */
export function pageSize(count = PAGE_LIMIT): number {
  if (count < 0) throw new Fault('invalid_request', '_count must not be negative.');
  return Math.min(count, PAGE_LIMIT);
}

/** Whether a list was asked for by page: of a size that a page can have. */
export function isPage({ count }: { count?: number }): boolean {
  return count !== undefined && count <= PAGE_LIMIT;
}

/**
 * Refuses a list that is longer than one may be; it is never cut in silence (FG-2).
 * @throws Fault `too_large`, saying how to page
 */
export function requireListable(type: string, length: number): void {
  if (length <= LIST_LIMIT) return;
  throw new Fault(
    'too_large',
    `More than ${LIST_LIMIT} ${type} resources match. Ask for pages with _count and _offset or ${type}Connection.`,
  );
}
