/** Periods by which dates are counted. */
import { expect, test } from 'vitest';
import { periodFor, periodOf, spanOf } from './periods.ts';

test.each([
  [['2024-05-01', '2024-05-28T10:00:00Z'], 30, 'day'],
  [['2024-05-01', '2025-10-28'], 30, 'month'],
  [['2024-05', '2024-06-01'], 30, 'month'],
  [['2024-05-01', '2025-10-28'], 2, 'year'],
  [['2024', '2024-10-28'], 30, 'year'],
  [['1931-01-02', '2019-01-02'], 30, 'decade'],
] as const)('%j in at most %d bars are of each %s', (dates, most, period) =>
  expect(periodFor(dates, most)).toBe(period),
);

test.each([
  ['day', ['2024-02-28', '2024-03-01'], ['2024-02-28', '2024-02-29', '2024-03-01']],
  ['month', ['2024-11-30', '2025-01-01'], ['2024-11', '2024-12', '2025-01']],
  ['year', ['2023-01', '2025'], ['2023', '2024', '2025']],
  ['decade', ['1989-12-31', '2001-01-01'], ['1980s', '1990s', '2000s']],
] as const)('each %s between dates has a name', (period, dates, names) => {
  expect(spanOf(dates, period)).toEqual(names);
  expect(periodOf(dates[0], period)).toBe(names[0]);
});
