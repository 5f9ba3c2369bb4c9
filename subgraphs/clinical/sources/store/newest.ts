import { UNBOUNDED } from '../../search/range.ts';
import type { NewestOf } from '../source.ts';
import type { Found, Row } from './run-plan.ts';

/** One search of a page that has the newest of all that its searches find. */
export interface FoundOfPage {
  found: Found;
  newestOf: NewestOf;
}

/**
 * Shortens the lists of one page by what is too old for it. The newest of what is left out stays: it shows how far the list
 * is complete. No list is shortened when all together have too little for the page.
 * @returns the lists in the same order
 */
export function withoutTooOld(searches: readonly FoundOfPage[]): Found[] {
  const dates = searches
    .filter(({ newestOf }) => newestOf.counts)
    .flatMap(({ found }) => found.rows.map(dateOf).filter((date) => date !== undefined))
    .sort((a, b) => b - a);
  const last = dates[(searches[0]?.newestOf.size ?? 0) - 1];
  if (last === undefined) return searches.map(({ found }) => found);
  return searches.map(({ found, newestOf }) => shortened(found, last - newestOf.margin));
}

function shortened(found: Found, oldest: number): Found {
  const { rows } = found;
  const end = rows.findIndex((row) => (dateOf(row) ?? Infinity) < oldest);
  if (end < 0 || end === rows.length - 1) return found;
  return { ...found, rows: rows.slice(0, end + 1), shortened: true };
}

/** Returns the date by which a row is sorted: milliseconds since the epoch; undefined without a date or a beginning. */
function dateOf({ k0 }: Row): number | undefined {
  return typeof k0 === 'number' && k0 > -UNBOUNDED ? k0 : undefined;
}
