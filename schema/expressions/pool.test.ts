import { afterAll, describe, expect, it } from 'vitest';
import { Budget } from './budget.ts';
import { ExpressionPool } from './pool.ts';

const pool = new ExpressionPool({ atOnce: 1, queue: 2 });
afterAll(() => pool.close());

/** Compares each coding with each. */
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
  it('for each item', async () => {
    const items = [{ text: 'a' }, {}, { text: 'b' }, null];
    const results: unknown[] = [];
    // Where the machine is slow, an answer is of the first items alone.
    while (results.length < items.length)
      results.push(...(await select("text = 'b'", items.slice(results.length))));
    expect(results).toEqual([false, false, true, false]);
    expect(await select('text.exists()', [])).toEqual([]);
  });

  it('an item for which it cannot be evaluated takes nothing from the others', async () => {
    expect(await select("coding.code.startsWith('a')", [codings(2)])).toEqual([undefined]);
    expect(await select("coding.code.startsWith('a')", [{ coding: [{ code: 'a' }] }])).toEqual([true]);
  });

  it('texts', async () => {
    const items = JSON.stringify([{ text: 'a', coding: [{ code: 'b' }, { userSelected: true }] }]);
    const task = () =>
      ({ expression: 'text | coding.code | coding.userSelected', rules: 'dynamicTenant', items }) as const;
    expect(await pool.run('texts', task, { subject: 'It', budget: new Budget() })).toEqual([['a', 'b']]);
  });

  it('decimals that keep their precision are numbers', async () => {
    expect(await select('text = 1.1', [{ text: '\uE0001.10' }])).toEqual([true]);
    expect(await select('text = 1.1', [{ text: '\uE0001.20' }])).toEqual([false]);
  });

  it('what is not allowed is refused with the reason', async () => {
    const refused = {
      code: 'invalid_request',
      message: expect.stringMatching(/^It calls matches\(\), which is not/) as string,
    };
    await expect(select("text.matches('a')", [{}])).rejects.toMatchObject(refused);
    // The judgement is remembered.
    await expect(select("text.matches('a')", [{}])).rejects.toMatchObject(refused);
  });

  it('what takes too long is ended, and the next is evaluated', async () => {
    const long = select(PAIRS, [codings(8000)]);
    const next = select('text.exists()', [{ text: 'a' }]);
    await expect(long).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'It takes too long: it was ended after 50 ms. Make it simpler.',
    });
    expect(await next).toEqual([true]);
  });

  it('of a list that takes long the first items are evaluated', async () => {
    const items = Array.from({ length: 1000 }, () => codings(50));
    const results = await select(PAIRS, items);
    expect(results.length).toBeGreaterThan(0);
    expect(results.length).toBeLessThan(1000);
  });

  it('the expressions of one request have 500 ms together, those of another their own', async () => {
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

  it('a request that has spent less comes first', async () => {
    const spent = new Budget();
    spent.spend(400);
    const order: string[] = [];
    const first = select(PAIRS, [codings(200)]).then(() => order.push('running'));
    const late = select('text.exists()', [{}], spent).then(() => order.push('spent'));
    const fresh = select('text.exists()', [{}]).then(() => order.push('fresh'));
    await Promise.all([first, late, fresh]);
    expect(order).toEqual(['running', 'fresh', 'spent']);
  });

  it('says when too many wait', async () => {
    const all = await Promise.allSettled(Array.from({ length: 5 }, () => select('text.exists()', [{}])));
    expect(all.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'fulfilled', 'fulfilled'],
      ...['rejected', 'rejected'],
    ]);
    const { reason } = all[4] as PromiseRejectedResult;
    expect(reason).toMatchObject({ code: 'unavailable', details: { retryAfter: 2 } });
  });

  it('a closed one evaluates nothing', async () => {
    const closed = new ExpressionPool();
    await closed.close();
    const task = () => ({ expression: 'text', rules: 'argument', items: '[]' }) as const;
    const run = closed.run('select', task, { subject: 'It', budget: new Budget() });
    await expect(run).rejects.toMatchObject({ code: 'unavailable' });
  });
});
