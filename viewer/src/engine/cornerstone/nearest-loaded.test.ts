import { expect, test } from 'vitest';
import { nearestLoaded } from './nearest-loaded.ts';

test.each([
  [5, [5, 6], 5],
  [5, [1, 8], 8],
  [5, [3, 8], 3],
  [5, [4, 6], 6],
  [0, [9], 9],
  [5, [], undefined],
])('wanted %i, loaded %j: %s is shown', (wanted, loaded, expected) =>
  expect(nearestLoaded(wanted, 10, (index) => (loaded as number[]).includes(index))).toBe(expected),
);
