import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { asking, said, startSqlApp, type SqlApp } from '../test/sql-app.ts';

/** Views of requests that need too much. Each says so, and nobody else notices. */

let sql: SqlApp;
/** Views have less time here. */
let brief: SqlApp;
beforeAll(async () => {
  sql = await startSqlApp();
  brief = await startSqlApp({ inlineTime: 5_000 });
});
afterAll(() => Promise.all([sql.close(), brief.close()]));
vi.setConfig({ testTimeout: 60_000 });

const TEN = '(1|2|3|4|5|6|7|8|9|10)';
const ask = (select: readonly object[], app = sql, ...parameters: Record<string, unknown>[]) => {
  app.found = { Patient: [{ resourceType: 'Patient', id: 'x' }] };
  const resource = { resourceType: 'ViewDefinition', resource: 'Patient', select };
  return asking(() => app).run({ name: 'subjectResource', resource }, ...parameters);
};
/** Ten rows of each row, again and again. */
const rows = (times: number, column: object = { name: 'n', path: '1' }) => [
  { column: [column] },
  ...Array.from({ length: times }, () => ({ forEach: TEN, select: [] })),
];
const tripled = (times: number) =>
  `(${Array.from({ length: 300 }, (_, value) => value).join('|')})${'.select($this.combine($this).combine($this))'.repeat(times)}`;
/** A text of 10 characters, ten times as long, again and again. */
const longer = (times: number) => `'aaaaaaaaaa'${".replace('a', 'aaaaaaaaaa')".repeat(times)}`;

/** Columns of a million characters. */
const texts = (count: number) => [
  { column: Array.from({ length: count }, (_, at) => ({ name: `t${at}`, path: longer(5) })) },
];

describe('a view of a request', () => {
  test('that makes very many rows is 422, while others are answered', async () => {
    let isOver = false;
    const costly = ask(rows(7), sql, { name: '_limit', valueInteger: 1 }).finally(() => (isOver = true));
    const answer = await asking(() => sql).post('SELECT 1 AS x');
    expect([answer.body, isOver]).toEqual(['{"x":1}\n', false]);
    const { statusCode, ...refused } = await costly;
    expect([statusCode, said(refused)]).toEqual([422, expect.stringMatching(/5,000,000 rows|more time/)]);
  });

  test('that goes on and on is 422', async () => {
    const answer = await ask([...rows(30), { forEach: '{}', select: [] }], brief);
    expect([answer.statusCode, said(answer)]).toEqual([422, expect.stringContaining('more time')]);
  });

  test.each([
    ['values', { name: 'n', path: tripled(11), collection: true, type: 'integer' }, '100,000 values'],
    ['characters', { name: 't', path: longer(8) }, '1,000,000 characters'],
  ])('that makes too many %s is 422', async (_what, column, sentence) => {
    const answer = await ask([{ column: [column] }]);
    expect([answer.statusCode, said(answer)]).toEqual([422, expect.stringContaining(sentence)]);
  });

  test.each([
    ['copied into rows', [...texts(1), ...rows(4).slice(1)]],
    ['of one row', texts(90)],
  ])('whose values, %s, need too much memory is 422, and another one is answered', async (_what, select) => {
    const [large, small] = await Promise.all([ask(select), ask(rows(1))]);
    expect([large.statusCode, said(large)]).toEqual([422, expect.stringContaining('more memory')]);
    expect([small.statusCode, small.body.length]).toEqual([200, 10 * '{"n":1}\n'.length]);
  });

  test('that fills the heap of its thread is 422, and the next one is answered', async () => {
    const values = { name: 'n', path: tripled(5), collection: true, type: 'integer' };
    const many = `(${Array.from({ length: 300 }, (_, value) => value).join('|')})`;
    const large = await ask([{ forEach: many, column: [values] }]);
    expect([large.statusCode, said(large)]).toEqual([422, expect.stringContaining('more memory')]);
    expect((await ask(rows(0))).body).toBe('{"n":1}\n');
  });

  test('may wait for its resources as long as it has to', async () => {
    brief.search = async function* () {
      await delay(6_000);
      yield [{ resourceType: 'Patient', id: 'x' }];
    };
    expect((await ask(rows(0), brief)).body).toBe('{"n":1}\n');
  });
});
