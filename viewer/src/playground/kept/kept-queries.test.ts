/** Queries that are kept beyond the tab. */
import { describe, expect, test } from 'vitest';
import { memoryStorage } from '../../state/browser/browser-storage.ts';
import { KeptQueries, nameOf } from './kept-queries.ts';

const texts = (query: string, variables = '') => ({ query, variables });

describe('kept queries', () => {
  test('are there in the next tab, the newest first, each once, and only their texts', () => {
    const storage = memoryStorage();
    const kept = new KeptQueries(storage);
    expect(storage.length).toBe(0);
    kept.keep('graphql', texts('query A { x }', '{"id":"1"}'));
    kept.keep('sql', texts('SELECT 1'));
    kept.keep('graphql', texts('query A { x }', '{"id":"1"}'));
    expect(new KeptQueries(storage).all).toEqual([
      { language: 'graphql', name: 'A', query: 'query A { x }', variables: '{"id":"1"}' },
      { language: 'sql', name: 'SELECT 1', query: 'SELECT 1', variables: '' },
    ]);
  });

  test('are removed one by one and at once, and leave nothing', () => {
    const storage = memoryStorage();
    const kept = new KeptQueries(storage);
    for (const name of ['A', 'B', 'C']) kept.keep('graphql', texts(`query ${name} { x }`));
    kept.remove(kept.all[1]!);
    expect(kept.all.map(({ name }) => name)).toEqual(['C', 'A']);
    kept.removeAll('sql');
    expect(kept.all).toHaveLength(2);
    kept.removeAll('graphql');
    expect([kept.all, storage.length]).toEqual([[], 0]);
  });

  test('of another tab are not lost', () => {
    const storage = memoryStorage();
    const [one, other] = [new KeptQueries(storage), new KeptQueries(storage)];
    one.keep('sql', texts('SELECT 1'));
    other.keep('sql', texts('SELECT 2'));
    expect(one.all).toHaveLength(2);
  });

  test.each([['{'], ['{}'], ['[null, {"name": 1}, {"language": "sql"}]']])(
    'that another program wrote are left out: %s',
    (text) => {
      const storage = memoryStorage();
      storage.setItem('playground-kept-queries', text);
      expect(new KeptQueries(storage).all).toEqual([]);
    },
  );

  test('that the browser has no room for are said to be lost', () => {
    const storage = memoryStorage();
    storage.setItem = () => {
      throw new DOMException('No room.', 'QuotaExceededError');
    };
    const kept = new KeptQueries(storage);
    expect(kept.keep('sql', texts('SELECT 1'))).toBe(false);
    expect(kept.all).toEqual([]);
    expect(new KeptQueries(undefined).isPossible).toBe(false);
  });
});

test.each([
  ['query Labs($a: Int) { x }', 'Labs'],
  ['# Which?\n{ x }', 'Which?'],
  ['-- CT of women\nSELECT 1', 'CT of women'],
  ['\n  SELECT id\nFROM patient', 'SELECT id'],
  [`SELECT ${'x'.repeat(90)}`, `SELECT ${'x'.repeat(52)}…`],
])('the name of %j', (query, name) => expect(nameOf(query)).toBe(name));
