import { expect, test } from 'vitest';
import { decodeCursor, encodeCursor, isOnlyPage, neighbours, type Neighbours } from './paging.ts';

test.each<[offset: number, size: number, total: number | undefined, pages: Neighbours<number>]>([
  [0, 10, 0, { first: 0, last: 0 }],
  [0, 10, 10, { first: 0, last: 0 }],
  [0, 10, 11, { first: 0, next: 10, last: 10 }],
  [10, 10, 25, { first: 0, previous: 0, next: 20, last: 20 }],
  [20, 10, 25, { first: 0, previous: 10, last: 20 }],
  [5, 10, 25, { first: 0, previous: 0, next: 15, last: 20 }],
  // Beyond the end, `previous` leads to the last resources, not to another empty page.
  [1000, 10, 25, { first: 0, previous: 15, last: 20 }],
  [20, 10, undefined, { first: 0, previous: 10 }],
])('offset %i, size %i, total %s has the neighbours %j', (offset, size, total, pages) => {
  expect(neighbours({ offset, size, total })).toEqual(pages);
});

test.each([
  [{ offset: 0 }, true],
  [{ offset: 0, next: 10 }, false],
  [{ offset: 10 }, false],
  [{}, false],
])('%j is the only page: %s', (page, only) => expect(isOnlyPage(page)).toBe(only));

test('decodes a cursor to the place that was encoded', () => {
  expect(decodeCursor(encodeCursor(40), /^\d+$/)).toBe('40');
  expect(decodeCursor(encodeCursor('?page=2'), /^\?/)).toBe('?page=2');
});

test.each(['!', '', encodeCursor('?page=2')])('refuses the cursor %j', (cursor) => {
  expect(() => decodeCursor(cursor, /^\d+$/)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});
