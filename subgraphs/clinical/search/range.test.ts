import { describe, expect, it } from 'vitest';
import { numberSpan, periodSpan, timingSpan, UNBOUNDED } from './range.ts';

const iso = (span: { low: number; high: number } | undefined) =>
  span && [new Date(span.low).toISOString(), new Date(span.high).toISOString()];

describe('spans', () => {
  it('a period may have open ends', () => {
    expect(periodSpan({ start: '2020' })?.high).toBe(UNBOUNDED);
    expect(periodSpan({ end: '2020' })?.low).toBe(-UNBOUNDED);
    expect(periodSpan({})).toBeUndefined();
  });
  it('a timing lasts from its first to its last event', () => {
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
  ])('%s covers %d to %d', (text, low, high) => {
    const span = numberSpan(text);
    expect(span?.low).toBeCloseTo(low, 6);
    expect(span?.high).toBeCloseTo(high, 6);
  });
  it.each(['', 'x', '1,5', '0x10', '1e'])('is not a number: %s', (text) =>
    expect(numberSpan(text)).toBeUndefined(),
  );
});
