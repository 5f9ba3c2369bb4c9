import { expect, test } from 'vitest';
import { costliest } from './explained.ts';

const of = (cost: number, ...fields: [path: string, cost: number][]) => ({
  cost,
  limit: 50_000,
  depth: 3,
  depthLimit: 30,
  fields: fields.map(([path, cost]) => ({ path, cost })),
});

test.each([
  [
    of(100_201, ['PatientList', 100_201], ['PatientList.ConditionList', 100_100]),
    'PatientList.ConditionList',
  ],
  [of(100, ['a', 60], ['b', 40]), 'a'],
  [of(90, ['a', 30], ['b', 30], ['c', 30]), undefined],
  [of(0), undefined],
])('the costliest field of %j', (explained, path) => {
  expect(costliest(explained)).toBe(path);
});
