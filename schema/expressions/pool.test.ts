import { afterAll, describe, expect, it } from 'vitest';
import { Budget } from './budget.ts';
import { ExpressionPool } from './pool.ts';

const pool = new ExpressionPool({ atOnce: 1, queue: 2 });
afterAll(() => pool.close());

/** Input for `PAIRS`, which compares each coding with each other. */
const codings = (count: number) => ({
  coding: Array.from({ length: count }, (_, index) => ({ code: `c${index}`, display: `d${index}` })),
});
const PAIRS = '(coding.code | coding.display).exists()';

function select(expression: string, items: unknown[], budget = new Budget()) {
  const task = () =>
    ({ expression, rules: 'argument', base: 'CodeableConcept', items: JSON.stringify(items) }) as const;
  return pool.run('select', task, { subject: 'It', budget });
}

describe('FG-23 expressions are evaluated in threads', () => {
  it('returns a result for each item', async () => {
    const items = [{ text: 'a' }, {}, { text: 'b' }, null];
    const results: unknown[] = [];
    // On a slow machine an answer covers only the first items.
    while (results.length < items.length)
      results.push(...(await select("text = 'b'", items.slice(results.length))));
    expect(results).toEqual([false, false, true, false]);
    expect(await select('text.exists()', [])).toEqual([]);
  });

  it('a failed evaluation of one item does not affect the others', async () => {
    expect(await select("coding.code.startsWith('a')", [codings(2)])).toEqual([undefined]);
    expect(await select("coding.code.startsWith('a')", [{ coding: [{ code: 'a' }] }])).toEqual([true]);
  });

  it('returns the texts of an item', async () => {
    const items = JSON.stringify([{ text: 'a', coding: [{ code: 'b' }, { userSelected: true }] }]);
    const task = () =>
      ({ expression: 'text | coding.code | coding.userSelected', rules: 'dynamicTenant', items }) as const;
    expect(await pool.run('texts', task, { subject: 'It', budget: new Budget() })).toEqual([['a', 'b']]);
  });

  it('reads marked decimals as numbers', async () => {
    expect(await select('text = 1.1', [{ text: '\uE0001.10' }])).toEqual([true]);
    expect(await select('text = 1.1', [{ text: '\uE0001.20' }])).toEqual([false]);
  });

  it('refuses a forbidden expression with the reason', async () => {
    const refused = {
      code: 'invalid_request',
      message: expect.stringMatching(/^It calls matches\(\), which is not/) as string,
    };
    await expect(select("text.matches('a')", [{}])).rejects.toMatchObject(refused);
    // The judgement is remembered.
    await expect(select("text.matches('a')", [{}])).rejects.toMatchObject(refused);
  });

  it('ends an evaluation that takes too long, and evaluates the next', async () => {
    const long = select(PAIRS, [codings(8000)]);
    const next = select('text.exists()', [{ text: 'a' }]);
    await expect(long).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'It takes too long: it was ended after 50 ms. Make it simpler.',
    });
    expect(await next).toEqual([true]);
  });

  it('evaluates the first items of a list that takes long', async () => {
    const items = Array.from({ length: 1000 }, () => codings(50));
    const results = await select(PAIRS, items);
    expect(results.length).toBeGreaterThan(0);
    expect(results.length).toBeLessThan(1000);
  });

  it('gives all expressions of one request 500 ms together, and another request its own budget', async () => {
    const budget = new Budget();
    const run = async (): Promise<unknown> => {
      for (;;) await select(PAIRS, [codings(100)], budget);
    };
    await expect(run()).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('take longer than 500 ms together') as string,
    });
    expect(budget.spent).toBeGreaterThanOrEqual(500);
    expect(await select('text.exists()', [{}])).toEqual([false]);
  });

  it('serves the request first that has used less time', async () => {
    const spent = new Budget();
    spent.spend(400);
    const order: string[] = [];
    const first = select(PAIRS, [codings(200)]).then(() => order.push('running'));
    const late = select('text.exists()', [{}], spent).then(() => order.push('spent'));
    const fresh = select('text.exists()', [{}]).then(() => order.push('fresh'));
    await Promise.all([first, late, fresh]);
    expect(order).toEqual(['running', 'fresh', 'spent']);
  });

  it('refuses an expression when too many wait', async () => {
    const all = await Promise.allSettled(Array.from({ length: 5 }, () => select('text.exists()', [{}])));
    expect(all.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    const { reason } = all[4] as PromiseRejectedResult;
    expect(reason).toMatchObject({ code: 'unavailable', details: { retryAfter: 2 } });
  });

  it('evaluates nothing after it was closed', async () => {
    const closed = new ExpressionPool();
    await closed.close();
    const task = () => ({ expression: 'text', rules: 'argument', items: '[]' }) as const;
    const run = closed.run('select', task, { subject: 'It', budget: new Budget() });
    await expect(run).rejects.toMatchObject({ code: 'unavailable' });
  });
});
