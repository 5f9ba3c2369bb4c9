import { describe, expect, test } from 'vitest';
import { Admission, HEAVY_BYTES } from './admission.ts';

const MIB = 1024 * 1024;
const LIGHT = MIB;
const HEAVY = 200 * MIB;

/** Asks for admission of a task. Returns whether it runs, and how to end it. */
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

describe('DW-24 admission', () => {
  test('runs heavy tasks one after another, in the order of their requests', async () => {
    const admission = new Admission(8, 10);
    const tasks = [1, 2, 3].map(() => task(admission, HEAVY));
    await settle();
    expect(tasks.map(({ runs }) => runs)).toEqual([true, false, false]);
    tasks[0]!.end();
    await settle();
    expect(tasks.map(({ runs }) => runs)).toEqual([true, true, false]);
  });

  test('runs heavy tasks together when memory and threads are enough', async () => {
    const admission = new Admission(3, 10);
    const tasks = [1, 2, 3].map(() => task(admission, 100 * MIB));
    await settle();
    expect(tasks.map(({ runs }) => runs)).toEqual([true, true, false]);
  });

  test('does not let light tasks wait for heavy ones, nor heavy tasks for light ones', async () => {
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

  test('gives light tasks the threads that heavy ones do not use', async () => {
    const admission = new Admission(2, 10);
    const light = [1, 2, 3].map(() => task(admission, LIGHT));
    await settle();
    expect(light.map(({ runs }) => runs)).toEqual([true, true, false]);
  });

  test('limits the bytes of light tasks, also when there are many threads', async () => {
    const admission = new Admission(64, 10);
    const light = [1, 2, 3].map(() => task(admission, 30 * MIB));
    await settle();
    expect(light.map(({ runs }) => runs)).toEqual([true, true, false]);
  });

  test('refuses at once a task that is too large, and says what to request instead', async () => {
    const refused = task(new Admission(2, 10), HEAVY_BYTES + 1);
    await refused.done;
    expect(refused.failed).toMatchObject({
      code: 'too_large',
      message: expect.stringContaining('as it is stored'),
    });
  });

  test('lets a waiting task leave, so that the next one starts earlier', async () => {
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
    ['too many tasks wait', LIGHT, 0, 2],
    ['waiting tasks hold too much input', LIGHT, 40 * MIB, 1],
  ])('answers 503 with Retry-After when %s', async (_what, weight, held, waiting) => {
    const admission = new Admission(1, 2);
    task(admission, weight);
    await settle();
    const tasks = Array.from({ length: waiting + 1 }, () => task(admission, weight, held));
    await settle();
    expect(tasks.at(-1)!.failed).toMatchObject({ code: 'unavailable', details: { retryAfter: 2 } });
    expect(tasks.slice(0, -1).map(({ failed }) => failed)).toEqual(Array(waiting).fill(undefined));
  });
});
