import { describe, expect, test } from 'vitest';
import type { Report, TimelineEntry } from '../../domain/record/record.ts';
import { byYear, filterEntries, type Group } from './filter.ts';

const entry = (kind: TimelineEntry['kind'], title: string, date?: string, reports = 0): TimelineEntry => ({
  kind,
  id: title,
  title,
  ...(date && { date }),
  studies: [],
  reports: Array<Report>(reports).fill({} as Report),
  results: [],
});
const ENTRIES = [
  entry('study', 'MRI brain', '2026-03-12', 1),
  entry('laboratory', 'Análisis', '2026-01-20'),
  entry('encounter', 'Office visit', '2025-05-01'),
  entry('problem', 'Migraine'),
];
const titles = (group: Group, text: string) =>
  filterEntries(ENTRIES, { group, text }, ({ title, date = '' }) => `${title} ${date}`).map(
    ({ title }) => title,
  );

describe('the timeline', () => {
  test.each<[Group, string, string[]]>([
    ['all', '', ENTRIES.map(({ title }) => title)],
    ['images', '', ['MRI brain']],
    ['reports', '', ['MRI brain']],
    ['visits', '', ['Office visit']],
    ['all', 'BRAIN 2026', ['MRI brain']],
    ['all', 'analisis', ['Análisis']],
    ['visits', 'brain', []],
  ])('group %s, text %j', (group, text, expected) => expect(titles(group, text)).toEqual(expected));

  test('by year, newest first, undated last', () => {
    expect(byYear(ENTRIES).map(({ year, entries }) => [year, entries.length])).toEqual([
      ['2026', 2],
      ['2025', 1],
      [undefined, 1],
    ]);
  });
});
