import { setFlagsFromString } from 'node:v8';
import { setTimeout as delay } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { WeakCache } from './weak-cache.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** More than are kept for certain. */
const MANY = 1_000_000;

test('a value is found again; a large one may be collected while its key lives', async () => {
  const map = new WeakCache<object, object>();
  const [key, other] = [{}, {}];
  const held = { rows: [1] };
  map.set(key, held, 1);
  map.set(other, { rows: [2] }, MANY);
  expect([map.get(key), map.get(other)]).toEqual([{ rows: [1] }, { rows: [2] }]);
  // A reference that was followed holds its value until the end of the turn.
  await delay(10);
  collectGarbage();
  expect([map.get(key), map.get(other)]).toEqual([held, undefined]);
});

test('a value lives no longer than its key, although it refers to it', async () => {
  const map = new WeakCache<object, object>();
  const put = () => {
    const key = {};
    const value = { key };
    map.set(key, value, 1);
    return new WeakRef<object>(value);
  };
  const values = Array.from({ length: 100 }, put);
  await delay(10);
  collectGarbage();
  expect(values.filter((one) => one.deref() !== undefined)).toEqual([]);
});

test('of many, those that were used last are kept', async () => {
  const map = new WeakCache<object, object>();
  const keys = Array.from({ length: 10 }, () => ({}));
  const [first] = keys as [object];
  for (const key of keys) {
    map.set(key, {}, MANY / 50);
    map.get(first);
  }
  await delay(10);
  collectGarbage();
  expect(keys.map((key) => map.get(key) !== undefined)).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
    false,
    true,
    true,
    true,
  ]);
});
