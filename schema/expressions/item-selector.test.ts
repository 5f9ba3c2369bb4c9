import { afterAll, describe, expect, it, vi } from 'vitest';
import { ItemSelector } from './item-selector.ts';
import { ExpressionPool } from './pool.ts';

const pool = new ExpressionPool();
afterAll(() => pool.close());
const selector = new ItemSelector(pool);

const components = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => ({ valueQuantity: { value: from + index } }));

it('FG-4 returns the items for which the expression is true, also from a list of several messages', async () => {
  const items = components(1300);
  const found = await selector.select(items, 'value.value >= 1299', 'ObservationComponent', {});
  expect(found).toEqual([items[1299]]);
  expect(found[0]).toBe(items[1299]);
});

it('sends lists with the same expression together, and returns to each its own items', async () => {
  const run = vi.spyOn(pool, 'run');
  const request = {};
  const lists = Array.from({ length: 100 }, (_, index) => components(index % 4));
  const all = lists.map((items) =>
    selector.select(items, 'value.value = 2', 'ObservationComponent', request),
  );
  expect(await Promise.all(all)).toEqual(lists.map((items) => items.slice(2, 3)));
  expect(run.mock.calls.length).toBeLessThan(20);
});

it('answers a list that is requested as soon as another is answered', async () => {
  const request = {};
  const select = (items: unknown[]) =>
    selector.select(items, 'value.value = 1', 'ObservationComponent', request);
  const second = await select(components(2)).then((found) => select(found));
  expect(second).toEqual([{ valueQuantity: { value: 1 } }]);
});

it('refuses only the list with an item that is too large', async () => {
  const request = {};
  const large = [{ text: 'a' }, { text: 'x'.repeat(1024 * 1024 + 1) }, { text: 'a' }];
  const small = [{ text: 'a' }, { text: 'b' }];
  const refused = selector.select(large, "text = 'a'", 'CodeableConcept', request);
  const answered = selector.select(small, "text = 'a'", 'CodeableConcept', request);
  await expect(refused).rejects.toMatchObject({ code: 'too_large' });
  expect(await answered).toEqual([small[0]]);
});

it('refuses only the list with an item for which the expression cannot be evaluated', async () => {
  const request = {};
  const several = [{ coding: [{ code: 'a' }, { code: 'b' }] }];
  const one = [{ coding: [{ code: 'a' }] }];
  const expression = "coding.code.startsWith('a')";
  const refused = selector.select(several, expression, 'CodeableConcept', request);
  const answered = selector.select(one, expression, 'CodeableConcept', request);
  await expect(refused).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'The fhirpath argument cannot be evaluated.',
  });
  expect(await answered).toEqual(one);
});

it('refuses a forbidden expression also for an empty list', async () => {
  const refused = selector.select([], 'descendants().exists()', 'CodeableConcept', {});
  await expect(refused).rejects.toMatchObject({ code: 'invalid_request' });
});

it('keeps items by a single value that is no boolean, and refuses several (FHIRPath §4.5)', async () => {
  const items = [{ rank: 1, value: 'a' }, { rank: 2, value: 'b' }, { value: 'c' }];
  const by = (expression: string) => selector.select(items, expression, 'ContactPoint', {});
  expect(await by('where(rank = 1)')).toEqual([items[0]]);
  expect(await by('rank')).toEqual(items.slice(0, 2));
  const names = [{ given: ['a', 'b'] }];
  await expect(selector.select(names, 'given', 'HumanName', {})).rejects.toMatchObject({
    code: 'invalid_request',
  });
});

describe('FG-26 values', () => {
  const values = (items: unknown[], expression: string, type = 'HumanName') =>
    selector.values(items, { expression, type, request: {} });

  it('are texts, in the order of the items, also of several messages', async () => {
    const items = Array.from({ length: 1200 }, (_, index) => ({ given: [`a${index}`, 'b'], use: 'usual' }));
    expect(await values(items, "given.where($this != 'b')")).toEqual(items.map(({ given }) => [given[0]]));
    expect(await values([{ given: ['a', 'b'] }, {}], 'given.count()')).toEqual([['2'], ['0']]);
    expect(await values([{ valueQuantity: { value: 2 } }, {}], 'value.value > 1', 'Observation')).toEqual([
      ['true'],
      [],
    ]);
  });

  it.each([
    ['a value with elements in it', 'period', /does not lead to/],
    ['a forbidden function', 'given.resolve()', /calls resolve/],
  ])('%s is refused', async (_what, expression, message) => {
    await expect(values([{ period: { start: '2020' } }], expression)).rejects.toThrow(message);
  });
});
