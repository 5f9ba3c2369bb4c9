import { expect, test } from 'vitest';
import { matrixOf } from './paths.ts';

test('the matrix of an image; none while it has no place', () => {
  expect(matrixOf(([column, row]) => [10 - 2 * row, 20 + 2 * column])).toEqual([0, 2, -2, 0, 10, 20]);
  expect(matrixOf(() => undefined)).toBeUndefined();
  expect(matrixOf(() => [NaN, NaN])).toBeUndefined();
});
