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
  const kept = 'k1' in (rows[0] ?? {}) ? newestOfMany(rows, oldest) : newest(rows, oldest);
  return kept.length === rows.length ? found : { ...found, rows: kept, shortened: true };
}

/** Returns the rows up to the first one that is too old, of a list that one date sorts. */
function newest(rows: readonly Row[], oldest: number): Row[] {
  const end = rows.findIndex((row) => isTooOld(row, oldest));
  return rows.slice(0, end < 0 ? rows.length : end + 1);
}

/** Returns the rows that are not too old, and the newest of the others. */
function newestOfMany(rows: readonly Row[], oldest: number): Row[] {
  const old = rows.filter((row) => isTooOld(row, oldest));
  const first = Math.max(...old.map((row) => dateOf(row)!));
  return rows.filter((row) => !isTooOld(row, oldest) || dateOf(row) === first);
}

const isTooOld = (row: Row, oldest: number): boolean => (dateOf(row) ?? Infinity) < oldest;

/**
 * Returns the first date by which a row is sorted: milliseconds since the epoch; undefined without a date that has a
 * beginning.
 */
function dateOf({ k0, k1 }: Row): number | undefined {
  return [k0, k1].find((value) => typeof value === 'number' && value > -UNBOUNDED) as number | undefined;
}
