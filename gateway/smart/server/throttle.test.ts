import { expect, test } from 'vitest';
import { throttle } from './throttle.ts';

test('a burst, then so many a second', () => {
  let clock = 0;
  const admits = throttle(2, 3, () => clock);
  expect([1, 2, 3, 4].map(admits)).toEqual([true, true, true, false]);
  clock += 500;
  expect([1, 2].map(admits)).toEqual([true, false]);
  clock += 60_000;
  expect([1, 2, 3, 4].map(admits)).toEqual([true, true, true, false]);
});
