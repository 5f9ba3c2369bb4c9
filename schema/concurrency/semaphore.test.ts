import { expect, test } from 'vitest';
import { Semaphore } from './semaphore.ts';

/** Acquires permits, and records in `got` who got one. */
function taking(semaphore: Semaphore, got: string[]) {
  return async (name: string, signal?: AbortSignal) => {
    const release = await semaphore.acquire(signal);
    got.push(name);
    return release;
  };
}

test('gives all permits at once, then serves the waiting in the order in which they came', async () => {
  const got: string[] = [];
  const take = taking(new Semaphore(2), got);
  const [first] = await Promise.all([take('a'), take('b')]);
  const third = take('c');
  const fourth = take('d');
  await Promise.resolve();
  expect(got).toEqual(['a', 'b']);
  first();
  (await third)();
  await fourth;
  expect(got).toEqual(['a', 'b', 'c', 'd']);
});

test('a waiting caller may leave without taking a permit from those behind it', async () => {
  const got: string[] = [];
  const take = taking(new Semaphore(1), got);
  const release = await take('a');
  const leaving = new AbortController();
  const second = take('b', leaving.signal);
  const third = take('c');
  leaving.abort(new Error('left'));
  await expect(second).rejects.toThrow('left');
  release();
  await third;
  expect(got).toEqual(['a', 'c']);
});

test('gives no permit to a caller that has already left', async () => {
  const semaphore = new Semaphore(1);
  await expect(semaphore.acquire(AbortSignal.abort(new Error('left')))).rejects.toThrow('left');
  await semaphore.acquire();
});

test('counts a permit once that is released twice', async () => {
  const got: string[] = [];
  const take = taking(new Semaphore(1), got);
  const release = await take('a');
  release();
  release();
  await take('b');
  void take('c');
  await new Promise(setImmediate);
  expect(got).toEqual(['a', 'b']);
});
