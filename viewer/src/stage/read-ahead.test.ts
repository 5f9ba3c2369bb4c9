import { expect, test } from 'vitest';
import { readAhead } from './read-ahead.ts';

test.each([
  [0, 1, 1, [0]],
  [0, 4, 1, [0, 1, 2, 3]],
  [2, 5, 1, [2, 3, 4, 1, 0]],
  [2, 9, 1, [2, 3, 4, 5, 1, 6, 7, 8, 0]],
  [3, 5, -1, [3, 2, 1, 0, 4]],
] as const)('from image %i of %i in direction %i: %j', (index, count, direction, order) =>
  expect(readAhead(index, count, direction)).toEqual(order),
);

test('every image is fetched exactly once', () => {
  const order = readAhead(87, 220, -1);
  expect(order).toHaveLength(220);
  expect(new Set(order).size).toBe(220);
});
