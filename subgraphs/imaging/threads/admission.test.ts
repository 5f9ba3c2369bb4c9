import { describe, expect, test } from 'vitest';
import { Admission, HEAVY_BYTES } from './admission.ts';

const MIB = 1024 * 1024;
const LIGHT = MIB;
const HEAVY = 200 * MIB;

/** A task that has asked to begin: whether it may run, and what ends it. */
function task(admission: Admission, weight: number, held = 0, signal?: AbortSignal) {
  const asked = { runs: false, end: () => undefined as void, failed: undefined as unknown };
  const done = admission.take(weight, held, signal).then(
    ({ release }) => {
      asked.runs = true;
      asked.end = release;
    },
    (error: unknown) => void (asked.failed = error),
  );
  return Object.assign(asked, { done });
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('DW-24 what may run at the same time', () => {
  test('heavy tasks one after the other, in the order in which they asked', async () => {
    const admission = new Admission(8, 10);
    const tasks = [1, 2, 3].map(() => task(admission, HEAVY));
    await settle();
    expect(tasks.map(({ runs }) => runs)).toEqual([true, false, false]);
    tasks[0]!.end();
    await settle();
    expect(tasks.map(({ runs }) => runs)).toEqual([true, true, false]);
  });

  test('heavy ones that fit together run together, where there are threads for them', async () => {
    const admission = new Admission(3, 10);
    const tasks = [1, 2, 3].map(() => task(admission, 100 * MIB));
    await settle();
    expect(tasks.map(({ runs }) => runs)).toEqual([true, true, false]);
  });

  test('light ones do not wait behind heavy ones, nor heavy ones behind light ones', async () => {
    const admission = new Admission(2, 10);
    const heavy = [1, 2].map(() => task(admission, HEAVY));
    const light = [1, 2, 3].map(() => task(admission, LIGHT));
    await settle();
    expect([...heavy, ...light].map(({ runs }) => runs)).toEqual([true, false, true, false, false]);
    light[0]!.end();
    heavy[0]!.end();
    await settle();
    expect([...heavy, ...light].map(({ runs }) => runs)).toEqual([true, true, true, true, false]);
  });

  test('light ones take the threads that no heavy one uses', async () => {
    const admission = new Admission(2, 10);
    const light = [1, 2, 3].map(() => task(admission, LIGHT));
    await settle();
    expect(light.map(({ runs }) => runs)).toEqual([true, true, false]);
  });

  test('light ones by their bytes too, however many threads there are', async () => {
    const admission = new Admission(64, 10);
    const light = [1, 2, 3].map(() => task(admission, 30 * MIB));
    await settle();
    expect(light.map(({ runs }) => runs)).toEqual([true, true, false]);
  });

  test('one that never has room is refused at once, and says what to ask for', async () => {
    const refused = task(new Admission(2, 10), HEAVY_BYTES + 1);
    await refused.done;
    expect(refused.failed).toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('as it is stored'),
    });
  });

  test('who waits may leave, and whoever is behind comes earlier', async () => {
    const admission = new Admission(4, 10);
    const leaving = new AbortController();
    const first = task(admission, HEAVY);
    const second = task(admission, HEAVY, 0, leaving.signal);
    const third = task(admission, 100 * MIB);
    await settle();
    expect([first, second, third].map(({ runs }) => runs)).toEqual([true, false, false]);
    leaving.abort();
    await settle();
    expect(second.failed).toMatchObject({ name: 'AbortError' });
    expect(third.runs).toBe(true);
  });

  test.each([
    ['more than may wait', LIGHT, 0, 2],
    ['more input than may wait', LIGHT, 40 * MIB, 1],
  ])('%s: 503 with Retry-After', async (_what, weight, held, waiting) => {
    const admission = new Admission(1, 2);
    task(admission, weight);
    await settle();
    const tasks = Array.from({ length: waiting + 1 }, () => task(admission, weight, held));
    await settle();
    expect(tasks.at(-1)!.failed).toMatchObject({ code: 'unavailable', details: { retryAfter: 2 } });
    expect(tasks.slice(0, -1).map(({ failed }) => failed)).toEqual(Array(waiting).fill(undefined));
  });
});
