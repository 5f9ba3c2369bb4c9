import { describe, expect, it } from 'vitest';
import { numberSpan, periodSpan, quantitySpan, timingSpan, UNBOUNDED } from './range.ts';

const iso = (span: { low: number; high: number } | undefined) =>
  span && [new Date(span.low).toISOString(), new Date(span.high).toISOString()];

describe('spans', () => {
  it('a period may have open ends', () => {
    expect(periodSpan({ start: '2020' })?.high).toBe(UNBOUNDED);
    expect(periodSpan({ end: '2020' })?.low).toBe(-UNBOUNDED);
    expect(periodSpan({})).toBeUndefined();
    expect(periodSpan({ start: '2020-02-30', end: '2020-03-01' })).toBeUndefined();
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
  it('FG-20 bounds are decimals: 0.15 is the end of 0.1, and no digit of 14 is lost', () => {
    expect(numberSpan('0.1')!.high).toBeLessThan(0.15);
    expect(numberSpan('0.1')!.near).toEqual({ low: 0.09, high: 0.11 });
    const { low, high } = numberSpan('5.40000000000001')!;
    expect([low <= 5.40000000000001, high >= 5.40000000000001]).toEqual([true, true]);
    expect(high).toBeLessThan(5.40000000000002);
    // More digits than a double has: at least the number itself matches.
    expect(numberSpan('12.157465932180418')!.high).toBe(12.157465932180418);
  });
  it.each([
    ['<', 5, (span: { high: number }) => span.high < 5],
    ['<=', 5, (span: { high: number }) => span.high === 5],
    ['>', -5, (span: { low: number }) => span.low > -5 && span.low < -4.999],
    ['>', 0, (span: { low: number }) => span.low > 0],
  ] as const)('FG-20 a value with the comparator %s %d', (comparator, value, holds) => {
    expect(holds(quantitySpan({ value, comparator })!)).toBe(true);
  });
  it.each(['1e999', '1'.repeat(400), '', 'x', '1,5', '0x10', '1e'])('is not a number: %s', (text) =>
    expect(numberSpan(text)).toBeUndefined(),
  );
});
