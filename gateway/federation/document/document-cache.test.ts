import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { DocumentCache, KEPT_CHARACTERS } from './document-cache.ts';

test('keeps documents up to a number of characters, the most recently used ones first', async () => {
  const cache = new DocumentCache();
  const document = parse(`{ ${'a '.repeat(KEPT_CHARACTERS / 8)} }`);
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const name of names) {
    await cache.set(name, document);
    await cache.get('a');
  }
  const kept = await Promise.all(names.map(async (name) => (await cache.get(name)) && name));
  expect(kept.filter(Boolean)).toEqual(['a', 'e', 'f']);
});

test('finds a document by the hash of its text, whatever Apollo Server puts before it', async () => {
  const cache = new DocumentCache();
  const document = parse('{ a }');
  await cache.set('hash', document);
  expect(await cache.get('schema:hash')).toBe(document);
});

test('does not keep a document that alone is larger than this', async () => {
  const cache = new DocumentCache();
  await cache.set('large', parse(`{ ${'a '.repeat(KEPT_CHARACTERS / 2)} }`));
  expect(await cache.get('large')).toBeUndefined();
});
