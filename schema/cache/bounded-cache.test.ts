import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { boundedCache, keepPromise, memoized } from './bounded-cache.ts';

const abc = [
  ['a', 1],
  ['b', 2],
  ['c', 3],
] as const;

describe('limit', () => {
  it.each([
    [1, ['c']],
    [2, ['c', 'a']],
    [3, ['c', 'a', 'b']],
  ])('%i entries: the least recently used is removed', (entries, left) => {
    const cache = boundedCache<number>({ entries });
    for (const [key, value] of abc) {
      cache.set(key, value);
      cache.get('a');
    }
    cache.get('c');
    expect([...cache.keys()]).toEqual(left);
  });

  it('no memory for entries that it does not have', () => {
    const cache = boundedCache<number>({ entries: 100_000 });
    expect([cache.max, cache.maxSize]).toEqual([0, 100_000]);
  });

  it('sizes, and the largest of one entry', () => {
    const sizeOf = (value: string, key: string) => key.length + value.length;
    const cache = boundedCache<string>({ size: 10, largest: 6, sizeOf });
    cache.set('a', '1234').set('b', '1234').set('c', '123456');
    expect([...cache.keys()]).toEqual(['b', 'a']);
    cache.set('d', '1');
    expect([...cache.keys()]).toEqual(['d', 'b']);
  });

  it('sizes that are given with the entries', () => {
    const cache = boundedCache<true>({ size: 10 });
    cache.set('a', true, { size: 6 }).set('b', true, { size: 5 });
    expect([...cache.keys()]).toEqual(['b']);
    expect(() => cache.set('c', true)).toThrow(TypeError);
  });
});

describe('lifetime', () => {
  let clock: number;
  const now = () => clock;
  beforeEach(() => void (clock = 1_000));

  it('a read does not renew it, a write does', () => {
    const cache = boundedCache<number>({ entries: 9, seconds: 5, now });
    cache.set('read', 1).set('written', 2);
    clock += 3_000;
    expect(cache.get('read')).toBe(1);
    cache.set('written', 3);
    clock += 2_001;
    expect([cache.get('read'), cache.get('written')]).toEqual([undefined, 3]);
  });

  it('without one an entry stays; one entry may have its own', () => {
    const cache = boundedCache<number>({ entries: 9, now });
    cache.set('stays', 1).set('ends', 2, { ttl: 10 });
    clock += 11;
    expect([cache.get('stays'), cache.get('ends')]).toEqual([1, undefined]);
  });

  it('the clock is read at each look-up', () => {
    const cache = boundedCache<number>({ entries: 9, seconds: 1, now });
    cache.set('a', 1);
    expect(cache.get('a')).toBe(1);
    clock += 1_001;
    expect(cache.get('a')).toBeUndefined();
  });
});

describe('purge', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each([
    [true, 0],
    [undefined, 1],
  ])('%s: entries that are left after their lifetime, %i', (purge, left) => {
    const cache = boundedCache<number>({ entries: 9, seconds: 1, purge, now: () => Date.now() });
    cache.set('a', 1);
    vi.advanceTimersByTime(1_100);
    expect(cache.size).toBe(left);
  });
});

it('dispose is told each entry that is removed, and why', () => {
  const told: unknown[] = [];
  const cache = boundedCache<number>({ entries: 2, dispose: (...entry) => void told.push(entry) });
  for (const [key, value] of abc) cache.set(key, value);
  cache.set('b', 4);
  cache.delete('c');
  expect(told).toEqual([
    [1, 'a', 'evict'],
    [2, 'b', 'set'],
    [3, 'c', 'delete'],
  ]);
});

describe('fetch', () => {
  it('loads a value once for all who ask', async () => {
    const load = vi.fn((key: string, _stale: unknown, { context }: { context: string }) =>
      Promise.resolve(`${key} ${context}`),
    );
    const cache = boundedCache<string, string, string>({ entries: 9, fetch: load });
    const asked = ['a', 'a'].map((key) => cache.fetch(key, { context: 'of b' }));
    expect(await Promise.all(asked)).toEqual(['a of b', 'a of b']);
    expect([cache.get('a'), load.mock.calls.length]).toEqual(['a of b', 1]);
  });

  it('gives a value also when its entry is removed meanwhile', async () => {
    const cache = boundedCache<string>({
      entries: 9,
      fetch: async (key) => {
        await setImmediate();
        return key;
      },
    });
    const asked = cache.fetch('a');
    cache.delete('a');
    expect(await asked).toBe('a');
    expect(cache.get('a')).toBeUndefined();
  });
});

describe('memoized', () => {
  it('a function is called once for each argument that is kept', () => {
    const make = vi.fn((key: string) => key.length);
    const lengthOf = memoized(make, { entries: 2 });
    expect(['a', 'a', 'bb', 'ccc', 'ccc', 'a'].map(lengthOf)).toEqual([1, 1, 2, 3, 3, 1]);
    expect(make.mock.calls.flat()).toEqual(['a', 'bb', 'ccc', 'a']);
  });

  it('keeps a result that is false, and none of a call that throws', () => {
    const make = vi.fn((key: string) => {
      if (key === '') throw new Error('empty');
      return false;
    });
    const known = memoized(make, { entries: 2 });
    expect([known('a'), known('a')]).toEqual([false, false]);
    for (const _ of [1, 2]) expect(() => known('')).toThrow('empty');
    expect(make).toHaveBeenCalledTimes(3);
  });
});

it.each([
  ['fulfilled', () => Promise.resolve(1), 1],
  ['rejected', () => Promise.reject(new Error('refused')), 0],
])('keepPromise: a promise that is %s', async (_, begin, size) => {
  const promise = begin();
  const cache = boundedCache<Promise<number>>({ entries: 2 });
  expect(keepPromise(cache, 'a', promise)).toBe(promise);
  expect(cache.get('a')).toBe(promise);
  await setImmediate();
  expect(cache.size).toBe(size);
});
