import { beforeEach, describe, expect, test } from 'vitest';
import { expiringCache, type ExpiringCache, type Remembered } from './expiring-cache.ts';

let clock: number;
let cache: ExpiringCache<{ name: string }>;
/** The computations so far, in the order of their start. */
let begun: { end: (seconds?: number) => void; fail: () => void }[];

beforeEach(() => {
  clock = 1_000_000;
  cache = expiringCache(100, () => clock);
  begun = [];
});

function ask(how: 'get' | 'renew' = 'get'): Promise<string> {
  const compute = () =>
    new Promise<Remembered<{ name: string }>>((resolve, reject) => {
      const name = `value ${begun.length}`;
      begun.push({
        end: (seconds = 60) => resolve({ value: { name }, seconds }),
        fail: () => reject(new Error(name)),
      });
    });
  return Promise.resolve(cache[how]('key', compute)).then(
    ({ name }) => name,
    (error: Error) => `failed ${error.message}`,
  );
}

describe('SM-9 a computation that hangs', () => {
  test('is shared only for two seconds', async () => {
    const first = ask();
    clock += 1999;
    const joined = ask();
    expect(begun).toHaveLength(1);
    clock += 1;
    const second = ask();
    expect(begun).toHaveLength(2);
    begun[1]!.end();
    expect(await second).toBe('value 1');
    begun[0]!.end();
    expect(await Promise.all([first, joined])).toEqual(['value 0', 'value 0']);
  });

  test('does not replace a newer value when it ends', async () => {
    const first = ask();
    clock += 2000;
    const second = ask();
    begun[1]!.end();
    await second;
    begun[0]!.end();
    expect(await first).toBe('value 0');
    expect(await ask()).toBe('value 1');
  });

  test('gives a value that is kept until a second computation ends', async () => {
    const first = ask();
    clock += 2000;
    const second = ask();
    begun[0]!.end();
    await first;
    expect(await ask()).toBe('value 0');
    begun[1]!.end();
    await second;
    expect(await ask()).toBe('value 1');
  });

  test('runs at most three times at once: then the youngest is shared', async () => {
    const asked = [0, 1, 2, 3, 4].map((n) => {
      clock = 1_000_000 + n * 2000;
      return ask();
    });
    expect(begun).toHaveLength(3);
    for (const { end } of begun) end();
    expect(await Promise.all(asked)).toEqual(['value 0', 'value 1', 'value 2', 'value 2', 'value 2']);
  });

  test('makes room for the next when it fails', async () => {
    const asked = [0, 1, 2].map((n) => {
      clock = 1_000_000 + n * 2000;
      return ask();
    });
    begun[0]!.fail();
    expect(await asked[0]).toBe('failed value 0');
    clock += 2000;
    void ask();
    expect(begun).toHaveLength(4);
  });
});

describe('renewal', () => {
  test('returns the old value meanwhile, and keeps it when the renewal fails', async () => {
    const first = ask();
    begun[0]!.end();
    await first;
    const failing = ask('renew');
    expect(await ask()).toBe('value 0');
    begun[1]!.fail();
    expect(await failing).toBe('failed value 1');
    expect(await ask()).toBe('value 0');
    const renewed = ask('renew');
    begun[2]!.end();
    await renewed;
    expect(await ask()).toBe('value 2');
  });

  test('does not extend the life of the old value', async () => {
    const first = ask();
    begun[0]!.end(10);
    await first;
    const failing = ask('renew');
    begun[1]!.fail();
    await failing;
    clock += 10_000;
    void ask();
    expect(begun).toHaveLength(3);
  });
});
