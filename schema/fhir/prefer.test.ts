import { expect, test } from 'vitest';
import { isStrict } from './prefer.ts';

test.each<[prefer: string | undefined, strict: boolean]>([
  [undefined, false],
  ['', false],
  ['handling=strict', true],
  ['handling="strict"', true],
  ['Handling = Strict', true],
  ['return=minimal, handling=strict', true],
  ['return=minimal; handling="strict"', true],
  ['respond-async handling=strict', true],
  ['handling=strict, return=representation', true],
  ['handling=lenient', false],
  ['handling=lenient, handling=strict', false],
  ['handling=stricter', false],
  ['handling="strict-ish"', false],
  ['mishandling=strict', false],
  ['handling', false],
])('RFC 7240 Prefer: %s is strict: %s', (prefer, strict) => {
  expect(isStrict(prefer)).toBe(strict);
});
