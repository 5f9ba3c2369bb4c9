import { UNBOUNDED } from '../../search/range.ts';
import type { NewestOf } from '../source.ts';
import type { Found, Row } from './run-plan.ts';

/** One search of a page that has the newest of all that its searches find. */
export interface FoundOfPage {
  found: Found;
  newestOf: NewestOf;
}

/**
 * Returns the date of the last resource that a page needs: milliseconds since the epoch; undefined when the searches that
 * count have too little for the page.
 */
export function lastOfPage(searches: readonly FoundOfPage[]): number | undefined {
  const dates = searches
    .filter(({ newestOf }) => newestOf.counts)
    .flatMap(({ found }) => found.rows.map(dateOf).filter((date) => date !== undefined))
    .sort((a, b) => b - a);
  return dates[(searches[0]?.newestOf.size ?? 0) - 1];
}

/** Leaves out the rows that are too old. @param oldest milliseconds since the epoch */
export function withoutTooOld(found: Found, oldest: number): Found {
  const { rows } = found;
  const isTooOld = (row: Row): boolean => (dateOf(row) ?? Infinity) < oldest;
  const first = rows.findIndex(isTooOld);
  if (first < 0) return found;
  // A list that one date sorts goes on from its end. What has no date comes after all others.
  const kept = 'k1' in rows[0]! ? rows.filter((row) => !isTooOld(row)) : rows.slice(0, first);
  return { ...found, rows: kept, completeAfter: oldest - 1 };
}

/**
 * Returns the first date by which a row is sorted: milliseconds since the epoch; undefined without a date that has a
 * beginning.
 */
function dateOf({ k0, k1 }: Row): number | undefined {
  return [k0, k1].find((value) => typeof value === 'number' && value > -UNBOUNDED) as number | undefined;
}
