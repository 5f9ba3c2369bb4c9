import { expect, test } from 'vitest';
import { linkedQuery, linkTo } from './link.ts';

const page = new URL('https://gateway.example/demo/playground?code=secret');

test.each([
  ['{ a }', ''],
  ['query ($id: ID!) {\n  Patient(id: $id) { id } # & = + %\n}', '{ "id": "é&=+%#" }'],
])('a link brings %j back', (query, variables) => {
  const link = linkTo(page, { query, variables })!;
  expect(linkedQuery(new URL(link))).toEqual({ query, variables });
  expect(link).not.toContain('secret');
  // What a browser sends to a server ends before the fragment.
  expect(link.split('#')[0]).toBe('https://gateway.example/demo/playground');
});

test('a query that is too long for a link has none', () => {
  expect(linkTo(page, { query: `{ ${'a '.repeat(20_000)} }`, variables: '' })).toBeUndefined();
});

test.each(['', '#', '#other=1', `#query=${'a'.repeat(40_000)}`])('%j brings no query', (hash) => {
  expect(linkedQuery(new URL(`https://gateway.example/demo/playground${hash.slice(0)}`))).toBeUndefined();
});
