import { expect, test } from 'vitest';
import { throttle } from './throttle.ts';

test('allows a burst, then the given number per second', () => {
  let clock = 0;
  const admits = throttle(2, 3, () => clock);
  const ask = (times: number) => Array.from({ length: times }, () => admits('one address'));
  expect(ask(4)).toEqual([true, true, true, false]);
  clock += 500;
  expect(ask(2)).toEqual([true, false]);
  clock += 60_000;
  expect(ask(4)).toEqual([true, true, true, false]);
});

test('counts each address separately', () => {
  const admits = throttle(2, 1, () => 0);
  expect(['a', 'a', 'b', 'b'].map(admits)).toEqual([true, false, true, false]);
});
