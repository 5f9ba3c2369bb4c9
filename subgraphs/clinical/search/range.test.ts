import { describe, expect, it } from 'vitest';
import { dateSpan, numberSpan, periodSpan, timingSpan, UNBOUNDED } from './range.ts';

const iso = (span: { low: number; high: number } | undefined) =>
  span && [new Date(span.low).toISOString(), new Date(span.high).toISOString()];

describe('dateSpan', () => {
  it.each([
    ['2020', '2020-01-01T00:00:00.000Z', '2021-01-01T00:00:00.000Z'],
    ['2020-12', '2020-12-01T00:00:00.000Z', '2021-01-01T00:00:00.000Z'],
    ['2020-02-29', '2020-02-29T00:00:00.000Z', '2020-03-01T00:00:00.000Z'],
    ['2020-02-29T10:00Z', '2020-02-29T10:00:00.000Z', '2020-02-29T10:01:00.000Z'],
    ['2020-02-29T10:00:30Z', '2020-02-29T10:00:30.000Z', '2020-02-29T10:00:31.000Z'],
    ['2020-02-29T10:00:30.5Z', '2020-02-29T10:00:30.500Z', '2020-02-29T10:00:30.501Z'],
    ['2020-02-29T01:00:00+02:00', '2020-02-28T23:00:00.000Z', '2020-02-28T23:00:01.000Z'],
    ['2020-02-29T01:00:00-05:30', '2020-02-29T06:30:00.000Z', '2020-02-29T06:30:01.000Z'],
    // A plus that a URL turned into a space.
    ['2020-02-29T01:00:00 02:00', '2020-02-28T23:00:00.000Z', '2020-02-28T23:00:01.000Z'],
  ])('%s', (text, low, high) => expect(iso(dateSpan(text))).toEqual([low, high]));

  it.each(['', 'today', '20', '2020-13', '2020-00-01', '2020-01-32', '2020-01-01T', '01/02/2020'])(
    'is not a date: %s',
    (text) => expect(dateSpan(text)).toBeUndefined(),
  );
});

describe('other spans', () => {
  it('open ends', () => {
    expect(periodSpan({ start: '2020' })?.high).toBe(UNBOUNDED);
    expect(periodSpan({ end: '2020' })?.low).toBe(-UNBOUNDED);
    expect(periodSpan({})).toBeUndefined();
  });
  it('a timing from its first to its last event', () => {
    expect(iso(timingSpan({ event: ['2020-03-01', '2020-01-01'] }))).toEqual([
      '2020-01-01T00:00:00.000Z',
      '2020-03-02T00:00:00.000Z',
    ]);
  });
  it.each([
    ['100', 99.5, 100.5],
    ['100.00', 99.995, 100.005],
    ['1e2', 95, 105],
    ['-5', -5.5, -4.5],
  ])('%s stands for %d to %d', (text, low, high) => {
    const span = numberSpan(text);
    expect(span?.low).toBeCloseTo(low, 6);
    expect(span?.high).toBeCloseTo(high, 6);
  });
  it.each(['', 'x', '1,5', '0x10', '1e'])('is not a number: %s', (text) =>
    expect(numberSpan(text)).toBeUndefined(),
  );
});
