import { expect, test } from 'vitest';
import { SealCache } from './seal-cache.ts';

test('gives a value for its seconds, and keeps none of those that are over', () => {
  let now = 1_790_000_000_000;
  const cache = new SealCache<object>(() => now);
  const value = {};
  cache.set('first', value, 40);
  expect(cache.get('first')).toBe(value);
  now += 40_001;
  expect(cache.get('first')).toBeUndefined();
  for (let minute = 0; minute < 10; minute++) {
    for (let number = 0; number < 100; number++) cache.set(`${minute} ${number}`, value, 40);
    now += 61_000;
  }
  expect(cache.size).toBe(100);
});
