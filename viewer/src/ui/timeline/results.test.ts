import { describe, expect, test } from 'vitest';
import type { PatientRecord, Result } from '../../domain/record/record.ts';
import { courseOf, lastValues } from './history.ts';
import { rangeWords, valueWords } from './result-words.ts';

const measure = (code: string, value: number, unit: string) => ({
  concept: { text: code, system: 'http://loinc.org', code },
  value,
  unit,
});
const result = (id: string, more: Partial<Result>): Result => ({
  id,
  concept: { text: 'measured' },
  value: '',
  flags: [],
  ...more,
});
const at = (date: string, value: number, unit = 'mg/dL') =>
  result(`${date} ${unit}`, { date, measures: [measure('2160-0', value, unit)] });
const recordOf = (results: readonly Result[]) => ({ timeline: [{ results }] }) as unknown as PatientRecord;

describe('the course of a result', () => {
  const newest = at('2026-01-01', 4);
  const results = [
    newest,
    at('2025-01-01', 3),
    at('2023-01-01', 1),
    at('2024-01-01', 2),
    at('2025-06-01', 90, 'umol/L'),
  ];

  test('has the values of its unit up to its date, oldest first', () => {
    const record = recordOf(results);
    expect(lastValues(record, newest)).toEqual([1, 2, 3, 4]);
    expect(lastValues(record, at('2025-01-01', 3))).toEqual([1, 2, 3]);
  });

  test('is none of two values, of a value in words, and of one without a date', () => {
    const record = recordOf(results);
    expect(lastValues(record, at('2024-01-01', 2))).toEqual([]);
    expect(lastValues(record, result('words', { date: '2026-01-01' }))).toEqual([]);
    expect(lastValues(record, result('undated', { measures: newest.measures! }))).toEqual([]);
  });

  test('that an entry shows is that of a flagged result, or else the first', () => {
    const flagged = { ...newest, id: 'flagged', flags: ['H'] };
    const record = recordOf(results);
    const entry = (...of: Result[]) => ({ results: of }) as unknown as PatientRecord['timeline'][number];
    expect(courseOf(record, entry(newest, flagged))?.result).toBe(flagged);
    expect(courseOf(record, entry(newest))?.result).toBe(newest);
    expect(courseOf(record, entry(at('2022-01-01', 1)))).toBeUndefined();
  });
});

test.each<[Partial<Result>, string]>([
  [
    {
      value: 'Systolic 128 mm[Hg], Diastolic 82 mm[Hg]',
      measures: [measure('8480-6', 128, 'mm[Hg]'), measure('8462-4', 82, 'mm[Hg]')],
    },
    '128/82 mmHg',
  ],
  [{ value: '37 Cel', measures: [measure('8310-5', 37, 'Cel')] }, '37 °C'],
  [{ value: '3', measures: [measure('72514-3', 3, '{score}')] }, '3'],
  // Words, and limits of ranges, are the record's.
  [{ value: 'Never smoked' }, 'Never smoked'],
  [{ value: '< 5 mg/dL' }, '< 5 mg/dL'],
  [
    {
      value: 'Pain score [KOOS] 61 {score}, Answer Yes',
      parts: [
        {
          concept: { text: 'Pain score [KOOS]', system: 'http://loinc.org', code: '72102-7' },
          value: '61 {score}',
        },
        { concept: { text: 'Answer' }, value: 'Yes' },
      ],
    },
    'Knee: pain 61, Answer Yes',
  ],
  // Half a blood pressure is none.
  [{ value: '128 mm[Hg]', measures: [measure('8480-6', 128, 'mm[Hg]')] }, '128 mmHg'],
])('%o is written %s', (more, words) => expect(valueWords(result('1', more), 'plain')).toBe(words));

test('a range has its unit as people write it', () => {
  expect(rangeWords('4 – 10 10*3/uL')).toBe('4 – 10 10³/µL');
  expect(rangeWords('0.6–1.1')).toBe('0.6–1.1');
});
