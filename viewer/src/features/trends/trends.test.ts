import { describe, expect, test } from 'vitest';
import { DIASTOLIC, SYSTOLIC } from '../../domain/record/blood-pressure.ts';
import type { Concept, Result, Trend } from '../../domain/record/record.ts';
import { codesOf } from '../../domain/record/trend-codes.ts';
import { groupsOf, type Mark } from './marks.ts';
import { chartsOf, rowsOf } from './lines.ts';
import { moved, secondsOf, wholeRange, within, zoomed } from './time.ts';

const DAY = 86_400;

test.each([
  ['2026-03-12', Date.UTC(2026, 2, 12) / 1000],
  // As it is written: the table says the same day.
  ['2026-03-12T23:30:00-05:00', Date.UTC(2026, 2, 12, 23, 30) / 1000],
  ['2026-03', Date.UTC(2026, 2, 1) / 1000],
  ['2026', Date.UTC(2026, 0, 1) / 1000],
  ['last spring', undefined],
])('%s is at %s', (date, expected) => expect(secondsOf(date)).toBe(expected));

describe('the time that is shown', () => {
  test('has all values, with space beside them; a single one has a month on each side', () => {
    expect(wholeRange([0, 100 * DAY])).toEqual({ from: -6 * DAY, to: 106 * DAY });
    expect(wholeRange([0])).toEqual({ from: -30 * DAY, to: 30 * DAY });
  });

  test('is zoomed around what is read, never to less than a day', () => {
    expect(zoomed({ from: 0, to: 100 * DAY }, 0.5, 20 * DAY)).toEqual({ from: 10 * DAY, to: 60 * DAY });
    expect(zoomed({ from: 0, to: DAY }, 0.5)).toEqual({ from: 0, to: DAY });
    expect(zoomed({ from: 0, to: 10 }, 2, 900)).toEqual({ from: -10, to: 10 });
  });

  test('moves only for what is outside, and ends at its limits', () => {
    expect(moved({ from: 0, to: 10 }, 7)).toEqual({ from: 0, to: 10 });
    expect(moved({ from: 0, to: 10 }, 40)).toEqual({ from: 35, to: 45 });
    expect(within({ from: -9, to: 50 }, { from: 0, to: 20 })).toEqual({ from: 0, to: 20 });
  });
});

test('marks that are too close are one; those outside are none', () => {
  const mark = (at: number): Mark => ({ id: String(at), kind: 'images', name: '', date: '', at });
  const groups = groupsOf([0, 10, 50, 90].map(mark), 30, (at) => (at < 80 ? at * 2 : undefined));
  expect(groups.map(({ x, marks }) => [x, marks.length])).toEqual([
    [0, 2],
    [100, 1],
  ]);
});

describe('lines of a chart', () => {
  const trend = (code: string, unit: string, ...points: [date: string, value: number][]): Trend => ({
    concept: { text: code, code },
    unit,
    points: points.map(([date, value]) => ({ date, value, flags: [] })),
  });

  test.each<[string, string[]]>([
    ['the two values of a blood pressure, in any order', [`${SYSTOLIC} a+${DIASTOLIC} a`, 'x a']],
    ['the other one is missing', [`${DIASTOLIC} a`]],
    ['they have two units', [`${SYSTOLIC} a`, `${DIASTOLIC} b`]],
    ['each unit has both', [`${SYSTOLIC} a+${DIASTOLIC} a`, `${SYSTOLIC} b+${DIASTOLIC} b`]],
  ])('%s', (_what, expected) => {
    const all = expected.flatMap((names) => names.split('+').reverse());
    const charts = chartsOf(all.map((name) => trend(...(name.split(' ') as [string, string]))));
    const names = charts.map((lines) => lines.map((one) => `${one.concept.code} ${one.unit}`).join('+'));
    expect(names).toEqual(expected);
  });

  test('values of one time are a row, but not where there are several; half a pressure is one too', () => {
    const rows = rowsOf([
      trend('a', 'mm', ['2026-03-02', 3], ['2026-02-01', 5], ['2026-03-01', 1], ['2026-03-01', 2]),
      trend('b', 'mm', ['2026-02-01', 50], ['2026-03-01', 20], ['2026-03-03', 40]),
    ]);
    expect(rows.map(({ points }) => points.map((point) => point?.value))).toEqual([
      [5, 50],
      [1, undefined],
      [2, undefined],
      [undefined, 20],
      [3, undefined],
      [undefined, 40],
    ]);
  });
});

describe('a trend is asked for by', () => {
  const concept = (code?: string, system?: string): Concept => ({
    text: 'a measurement',
    ...(code && { code }),
    ...(system && { system }),
  });
  const result = (of: Concept, ...parts: Concept[]): Result => ({
    id: '1',
    concept: of,
    value: '',
    flags: [],
    ...(parts.length > 0 && { measures: parts.map((one) => ({ concept: one, value: 1 })) }),
  });

  test.each<[string, Result, string[]]>([
    ['the code of the number', result(concept('a', 's'), concept('a', 's')), ['s|a']],
    [
      'the codes of its parts',
      result(concept('panel', 's'), concept('x', 's'), concept('y', 's')),
      ['s|x', 's|y'],
    ],
    ['its own code, for a value in words', result(concept('a')), ['a']],
    ['nothing, without a code', result(concept(), concept()), []],
  ])('%s', (_what, of, expected) => expect([...codesOf(of).keys()]).toEqual(expected));
});
