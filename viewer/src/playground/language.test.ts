import { expect, test } from 'vitest';
import { memoryStorage } from '../state/browser/browser-storage.ts';
import { firstLanguage, keepLanguage } from './language.ts';

const SQL = new URLSearchParams({ sql: 'SELECT 1' });
const QUERY = new URLSearchParams({ query: '{ x }' });
const at = (hash: URLSearchParams | '') => new URL(`http://gateway/demo/playground#${hash}`);

test('the tab remembers its language', () => {
  const storage = memoryStorage();
  const first = (hash: URLSearchParams | '', analysis = true) =>
    firstLanguage(at(hash), { analysis }, storage).language;
  expect(first('')).toBe('graphql');
  keepLanguage('sql', storage);
  expect(first('')).toBe('sql');
  expect(first(QUERY)).toBe('graphql');
  // A reload has the same address: what was chosen since is newer.
  keepLanguage('sql', storage);
  expect(first(QUERY)).toBe('sql');
  expect(first('', false)).toBe('graphql');
});

test('a link brings its statement once: a reload has what was written since', () => {
  const storage = memoryStorage();
  const facts = { analysis: true };
  expect(firstLanguage(at(SQL), facts, storage)).toEqual({ language: 'sql', statement: 'SELECT 1' });
  expect(firstLanguage(at(SQL), facts, storage)).toEqual({ language: 'sql', statement: undefined });
  expect(firstLanguage(at(SQL), { analysis: false }, memoryStorage()).statement).toBeUndefined();
});
