import { expect, test } from 'vitest';
import { copyWith } from './copy-with.ts';

test('a copy has the other values, and the original keeps its own', () => {
  const one = Object.freeze({ a: 1, b: 2 });
  const copy = copyWith(one, { b: 3, c: 4 });
  expect(copy).toEqual({ a: 1, b: 3, c: 4 });
  expect(one).toEqual({ a: 1, b: 2 });
  expect(copyWith(one, {})).not.toBe(one);
});
