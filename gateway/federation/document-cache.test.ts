import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { DocumentCache, KEPT_CHARACTERS } from './document-cache.ts';

test('documents are kept up to so many characters together, those used last before others', async () => {
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

test('a document that is larger than all of them may be is not kept', async () => {
  const cache = new DocumentCache();
  await cache.set('large', parse(`{ ${'a '.repeat(KEPT_CHARACTERS / 2)} }`));
  expect(await cache.get('large')).toBeUndefined();
});
