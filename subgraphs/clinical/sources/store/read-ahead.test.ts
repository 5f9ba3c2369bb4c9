import { expect, test } from 'vitest';
import type { SourceSearch } from '../source.ts';
import { ReadAhead } from './read-ahead.ts';

const SEARCH: SourceSearch = { params: [], count: 500, cursor: '?0123456789ab.7.500', patients: ['a', 'b'] };

test.each<[string, string, Partial<SourceSearch>]>([
  ['another type', 'Condition', {}],
  ['another place', 'Observation', { cursor: '?0123456789ab.8.500' }],
  ['another size', 'Observation', { count: 250 }],
  ['another order', 'Observation', { sort: 'date' }],
  ['other parameters', 'Observation', { params: [['code', '1']] }],
  ['other patients', 'Observation', { patients: ['a', 'c'] }],
  ['fewer patients', 'Observation', { patients: ['a'] }],
  ['no patients', 'Observation', { patients: [] }],
])('a page is not given to a search with %s', async (_, type, change) => {
  const ahead = new ReadAhead<string>();
  ahead.put('Observation', SEARCH, Promise.resolve('page'));
  expect(ahead.take(type, { ...SEARCH, ...change })).toBeUndefined();
  const all: SourceSearch = { ...SEARCH, ...change };
  delete all.patients;
  expect(ahead.take(type, all)).toBeUndefined();
  expect(await ahead.take('Observation', { ...SEARCH, patients: ['a', 'b'] })).toBe('page');
});

test('a page is given once', () => {
  const ahead = new ReadAhead<string>();
  ahead.put('Observation', SEARCH, Promise.resolve('page'));
  expect(ahead.take('Observation', SEARCH)).toBeDefined();
  expect(ahead.take('Observation', SEARCH)).toBeUndefined();
});

test('a page that fails is an error only for who takes it', async () => {
  const ahead = new ReadAhead<string>();
  ahead.put('Observation', SEARCH, Promise.reject(new Error('no')));
  await new Promise((resolve) => setImmediate(resolve));
  await expect(ahead.take('Observation', SEARCH)).rejects.toThrow('no');
});

test('the first page, a screen, and a search that counts are read when they are asked for', () => {
  const first: SourceSearch = { ...SEARCH };
  delete first.cursor;
  const searches = [SEARCH, first, { ...SEARCH, count: 20 }, { ...SEARCH, total: 'accurate' as const }];
  expect(searches.map((search) => ReadAhead.isWorthIt(search))).toEqual([true, false, false, false]);
});
