import { describe, expect, test } from 'vitest';
import type { Concept, Result } from '../../domain/record/record.ts';
import { groupsOf, type Mark } from './marks.ts';
import { codesOf } from './open-trend.svelte.ts';
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
  ])('%s', (_what, of, expected) => expect(codesOf(of)).toEqual(expected));
});
