import { describe, expect, test } from 'vitest';
import { allOf, andThen, lastly, orElse, type Awaitable } from './awaitable.ts';
import { RequestValues } from './request-values.ts';

const fails = (): never => {
  throw new Error('failed');
};
const later = <T>(value: T): Promise<T> => Promise.resolve(value);

describe('work that goes on at once where its values are here', () => {
  test('and later where one is promised', async () => {
    expect(andThen(1, (one) => one + 1)).toBe(2);
    expect(await andThen(later(1), (one) => one + 1)).toBe(2);
    expect(allOf([1, 2], (one) => one * 2)).toEqual([2, 4]);
    const some = allOf([1, 2], (one): Awaitable<number> => (one === 1 ? later(2) : 4));
    expect(some).toBeInstanceOf(Promise);
    expect(await some).toEqual([2, 4]);
  });

  test('recovers from an error that is thrown, and from one that is promised', async () => {
    const recover = (error: unknown) => (error as Error).message;
    expect(orElse(fails, recover)).toBe('failed');
    expect(await orElse(() => later(1).then(fails), recover)).toBe('failed');
    expect(orElse(() => 1, recover)).toBe(1);
  });

  test('of which one part throws and another is promised and fails: no rejection is left alone', async () => {
    const lost: unknown[] = [];
    const note = (error: unknown) => void lost.push(error);
    process.on('unhandledRejection', note);
    try {
      const both = allOf([0, 1], (one) => (one === 0 ? later(0).then(fails) : fails()));
      await expect(both).rejects.toThrow('failed');
      await new Promise((done) => setTimeout(done, 5));
      expect(lost).toEqual([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  test.each<[string, () => Awaitable<number>]>([
    ['gives a value', () => 1],
    ['promises one', () => later(1)],
    ['throws', fails],
    ['promises and fails', () => later(1).then(fails)],
  ])('takes its last step once where it %s', async (_what, work) => {
    let steps = 0;
    const run = async () => lastly(work, () => void steps++);
    await run().catch(() => undefined);
    expect(steps).toBe(1);
  });
});

test('a value that is kept with an object of a request is not in its copies, nor in its JSON', () => {
  const values = new RequestValues<object, string>();
  const others = new RequestValues<object, string>();
  const owner = { id: 1 };
  values.set(owner, 'kept');
  values.set(owner, 'kept anew');
  expect(values.get(owner)).toBe('kept anew');
  expect(others.get(owner)).toBeUndefined();
  expect(values.get({ ...owner })).toBeUndefined();
  expect(JSON.stringify(owner)).toBe('{"id":1}');
});
