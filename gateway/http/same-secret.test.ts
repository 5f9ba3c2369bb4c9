import { expect, test } from 'vitest';
import { isSameSecret } from './same-secret.ts';

test.each([
  ['a secret', 'a secret', true],
  ['a secreT', 'a secret', false],
  ['a secret and more', 'a secret', false],
  ['a secre', 'a secret', false],
  ['', 'a secret', false],
  ['', '', true],
  ['a', '', false],
  ['a', 'a\0', false],
  ['a\0', 'a', false],
  ['naïve', 'naïve', true],
  ['naï', 'na\u00ef', true],
  ['na\u00c3\u00af', 'naï', false],
  ['😀', '😁', false],
])('%j and %j: %j', (given, expected, same) => {
  expect(isSameSecret(given, expected)).toBe(same);
});
