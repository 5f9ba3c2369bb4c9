import { expect, test } from 'vitest';
import { dateCriterion, dateRange, meetsDate } from './date-search.ts';

const NOW = Date.parse('2026-11-24T00:00:00Z');

test.each<[criterion: string, target: string, matches: boolean]>([
  ['2023', '2023-05-11', true],
  ['2023', '2023', true],
  ['2023-05', '2023-05-11T09:30:00Z', true],
  ['2023-05-11', '2023-05-11T23:59:59.999Z', true],
  ['2023-05-11', '2023-05-11T23:00:00-05:00', false],
  ['2023-05-11', '2023-05', false],
  ['2023-05-11T09:30', '2023-05-11T09:30:59Z', true],
  ['2023-05-11T09:30:00Z', '2023-05-11T09:30:00.5Z', true],
  ['2023-05-11T09:30:00.5Z', '2023-05-11T09:30:00.500Z', true],
  ['2023-05-11T09:30:00.500Z', '2023-05-11T09:30:00.501Z', false],
  ['2023-05-11T11:30:00+02:00', '2023-05-11T09:30:00Z', true],
  ['2023-05-11T11:30:00 02:00', '2023-05-11T09:30:00Z', true],
  ['eq2023', '2024', false],
  ['ne2023', '2023-05', false],
  ['ne2023', '2024-05', true],
  ['gt2023', '2023-05', false],
  ['gt2023', '2024', true],
  ['gt2023-05-11', '2023-05', true],
  ['ge2023', '2023-05', true],
  ['ge2023-05-12', '2023-05-11', false],
  ['ge2023-05-11T00:00:00Z', '2023-05-11', true],
  ['lt2023', '2023-05', false],
  ['lt2023', '2022-12-31', true],
  ['le2023', '2023-05', true],
  ['le2023', '2024-01-01', false],
  ['sa2023-05-11', '2023-05-12', true],
  ['sa2023-05-11', '2023-05-11T12:00:00Z', false],
  ['sa2023-05-11', '2023', false],
  ['eb2023-05-11', '2023-05-10', true],
  ['eb2023-05-11', '2023-05-11', false],
  ['ap2023-05-11', '2023-05-20', true],
  ['ap2023-05-11', '2020-05-20', false],
])('IA-13 %s on %s → %s', (criterion, target, expected) => {
  expect(meetsDate(dateCriterion('started', criterion), dateRange(target)!, NOW)).toBe(expected);
});

test.each([
  '',
  'xx2023',
  '23',
  '2023-13',
  '2023-02-30',
  '2023-05-11T25:00',
  'ge',
  '2023-5-1',
  'ge ge2023',
  '20230511',
])('IA-13 %j is refused with 400', (text) => {
  expect(() => dateCriterion('started', text)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});
