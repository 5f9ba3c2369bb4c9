import { describe, expect, it } from 'vitest';
import { UNBOUNDED } from '../../search/range.ts';
import { lastOfPage, withoutTooOld, type FoundOfPage } from './newest.ts';

type Key = number | null;

const PAGE = { page: 'a page', size: 3, counts: true, margin: 0 };

/** Makes a search that has found resources with these dates. */
function found(dates: readonly (Key | readonly [Key, Key])[], newestOf = {}): FoundOfPage {
  const rows = dates.map((date, rid) => {
    const [k0, k1] = [date].flat() as Key[];
    return { rid, k0: k0!, ...(k1 !== undefined && { k1 }) };
  });
  return { found: { rows }, newestOf: { ...PAGE, ...newestOf } };
}

/** Returns the numbers of the rows that are left, and after which date each list is complete if some were left out. */
function left(...searches: FoundOfPage[]) {
  const last = lastOfPage(searches) ?? -Infinity;
  return searches.map(({ found, newestOf }) => {
    const { rows, completeAfter } = withoutTooOld(found, last - newestOf.margin);
    return [rows.map(({ rid }) => rid), completeAfter];
  });
}

describe('FG-17 lists of one page of a timeline', () => {
  it('end where the page ends', () => {
    expect(left(found([90, 70, 50, 30, 20]), found([80, 60, 40]))).toEqual([
      [[0, 1], 69],
      [[0], 69],
    ]);
  });

  it('have all resources of the last moment', () => {
    expect(left(found([90, 70, 70, 70, 20, 10]), found([80]))).toEqual([
      [[0, 1, 2, 3], 69],
      [[0], undefined],
    ]);
  });

  it('are whole when they have too little for a page', () => {
    const observed = found([9, 8, 7, 6], { counts: false });
    expect(left(found([90, 10]), observed)).toEqual([
      [[0, 1], undefined],
      [[0, 1, 2, 3], undefined],
    ]);
  });

  it('have what is older by less than their margin', () => {
    const observed = found([95, 65, 55, 45, 35], { counts: false, margin: 20 });
    const reports = found([85, 5, 4, 3], { margin: Infinity });
    expect(left(found([90, 70, 10, 9]), observed, reports)).toEqual([
      [[0, 1], 69],
      [[0, 1, 2], 49],
      [[0, 1, 2, 3], undefined],
    ]);
  });

  it('have what has no date, or no beginning, only if nothing before it was left out', () => {
    expect(left(found([90, 80, 70]), found([85, -UNBOUNDED, null]), found([85, 75, null]))).toEqual([
      [[0], 84],
      [[0, 1, 2], undefined],
      [[0], 84],
    ]);
  });

  it('with several dates of a resource go by the first that it has', () => {
    const conditions = found(
      [
        [85, 1],
        [40, 99],
        [30, null],
        [null, 88],
        [-UNBOUNDED, 20],
        [null, null],
      ],
      { counts: false },
    );
    expect(left(found([90, 80, 70]), conditions)).toEqual([
      [[0, 1, 2], undefined],
      [[0, 3, 5], 69],
    ]);
  });
});
