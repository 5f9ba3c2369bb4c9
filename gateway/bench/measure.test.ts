import { expect, it } from 'vitest';
import { alternate, isMet, median, type Figure } from './measure.ts';

it.each([
  [[3], 3],
  [[9, 1, 5], 5],
  [[4, 1, 2, 9], 3],
])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected);
});

it('contenders alternate, the warm-up does not count, and ratios are taken within a round', async () => {
  const order: string[] = [];
  const next = (name: string, values: number[]) => () => {
    order.push(name);
    return values.shift()!;
  };
  const result = await alternate({ a: next('a', [999, 10, 20, 40]), b: next('b', [999, 5, 10, 20]) }, 3);
  expect(order.join('')).toBe('baabbaab');
  expect(result).toEqual({ a: { median: 20, ratio: 1 }, b: { median: 10, ratio: 0.5 } });
});

it.each([
  [{ value: 6, atMost: 6 }, true],
  [{ value: 6.1, atMost: 6 }, false],
  [{ value: 1999, atLeast: 2000 }, false],
  [{ value: 1 }, true],
] as [Partial<Figure>, boolean][])('the bounds of %j are met: %s', (figure, met) => {
  expect(isMet({ what: '', value: 0, unit: '', ...figure })).toBe(met);
});
