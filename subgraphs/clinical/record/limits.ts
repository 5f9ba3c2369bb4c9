import { Fault } from '../../../schema/fault/fault.ts';

/** Largest number of resources in a list without paging (FG-2). */
export const LIST_LIMIT = 1_000;

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
