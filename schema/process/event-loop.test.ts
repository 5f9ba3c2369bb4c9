import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, expect, test, vi } from 'vitest';
import { concatInTurns, mapInTurns } from './event-loop.ts';

const LONG = Array.from({ length: 1000 }, (_, index) => index);

// Each reading of the clock is a millisecond later.
beforeEach(() => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now++);
});

test('a long list is mapped in turns of 5 ms, a short one at once', async () => {
  const mapped = async (items: readonly number[]) => {
    let isMapped = false;
    const work = Promise.resolve(mapInTurns(items, (item) => 2 * item)).finally(() => (isMapped = true));
    let turns = 0;
    for (await Promise.resolve(); !isMapped; turns++) await nextTurn();
    expect(await work).toEqual(items.map((item) => 2 * item));
    return turns;
  };
  expect(await mapped(LONG)).toBeGreaterThan(100);
  expect(await mapped(LONG.slice(0, 200))).toBeLessThan(2);
});

test('nothing is mapped after the client has left', async () => {
  let hasLeft = false;
  const throwIfLeft = (): void => {
    if (hasLeft) throw new Error('left');
  };
  let done = 0;
  const work = mapInTurns(LONG, () => done++, throwIfLeft);
  await nextTurn();
  hasLeft = true;
  const before = done;
  await expect(work).rejects.toThrow('left');
  expect(done).toBe(before);
  expect(done).toBeLessThan(LONG.length);
});

test('bytes are joined in turns', async () => {
  const pieces = LONG.map((number) => Buffer.from(`${number},`));
  let isJoined = false;
  const work = concatInTurns(pieces).finally(() => (isJoined = true));
  let turns = 0;
  for (; !isJoined; turns++) await nextTurn();
  expect(String(await work)).toBe(`${LONG.join(',')},`);
  expect(turns).toBeGreaterThan(100);
});
