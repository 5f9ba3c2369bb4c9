import type { Period, Quantity, Range, Timing } from 'fhir/r4.js';
import { dateRange } from '../../../schema/fhir/date-range.ts';

/** A span of numbers, or of times in milliseconds since the epoch; for times `high` is exclusive. */
export interface Span {
  low: number;
  high: number;
}

/** An open end, as a number that SQLite stores exactly. */
export const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/** Returns the span of a Period; a missing end is open. An end that is no date makes the period unknown. */
export function periodSpan({ start, end }: Period): Span | undefined {
  const from = start === undefined ? undefined : dateRange(start);
  const to = end === undefined ? undefined : dateRange(end);
  const isUnknown = (start !== undefined && !from) || (end !== undefined && !to);
  if (isUnknown || (!from && !to)) return undefined;
  return { low: from?.low ?? -UNBOUNDED, high: to?.high ?? UNBOUNDED };
}

/** Returns the span of a Timing: from its first to its last event, or the period that bounds its repetition. */
export function timingSpan({ event, repeat }: Timing): Span | undefined {
  const spans = (event ?? []).map(dateRange).filter((span) => span !== undefined);
  if (spans.length > 0) {
    return {
      low: Math.min(...spans.map(({ low }) => low)),
      high: Math.max(...spans.map(({ high }) => high)),
    };
  }
  return repeat?.boundsPeriod && periodSpan(repeat.boundsPeriod);
}

/**
 * Returns the numbers of a Quantity: one, or with a comparator all numbers on one side. `<5` ends at the number before 5:
 * no value of it is 5.
 */
export function quantitySpan({ value, comparator }: Quantity): Span | undefined {
  if (typeof value !== 'number') return undefined;
  switch (comparator) {
    case '<':
      return { low: -UNBOUNDED, high: numberBefore(value) };
    case '<=':
      return { low: -UNBOUNDED, high: value };
    case '>':
      return { low: numberAfter(value), high: UNBOUNDED };
    case '>=':
      return { low: value, high: UNBOUNDED };
    default:
      return { low: value, high: value };
  }
}

/** Returns the next larger number that a double has. */
function numberAfter(value: number): number {
  if (value === 0) return Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? 1n : -1n));
  return view.getFloat64(0);
}

const numberBefore = (value: number): number => -numberAfter(-value);

/** Returns the numbers of a Range of quantities. */
export function rangeSpan({ low, high }: Range): Span | undefined {
  if (typeof low?.value !== 'number' && typeof high?.value !== 'number') return undefined;
  return { low: low?.value ?? -UNBOUNDED, high: high?.value ?? UNBOUNDED };
}

/** A number in a search, and the numbers that match it, from the first to the last one that a double has. */
interface SearchNumber extends Span {
  value: number;
  /** The numbers that match it with the prefix `ap`: a tenth more or less (R4 §3.1.1.4.5). */
  near: Span;
}

/** Longest number and largest exponent that are read: more would not fit into a double. */
const MAX_DIGITS = 300;

/**
 * Returns the numbers that a number in a search matches: 100 is 99.5 to 100.5, 1e2 is 95 to 105 (R4 §3.1.1.4.3). The
 * bounds are calculated as decimals, then read as doubles like the values of resources: 0.15 is the end of 0.1 itself.
 * @returns undefined for a text that is no number
 */
export function numberSpan(text: string): SearchNumber | undefined {
  const match = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match || text.length > MAX_DIGITS) return undefined;
  const [, sign, whole = '', fraction = '', power] = match;
  const exponent = Number(power ?? 0) - fraction.length;
  if (Math.abs(exponent) > MAX_DIGITS) return undefined;
  const digits = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n);
  const tenth = digits < 0n ? -digits : digits;
  // In the standard's example, a number with an exponent is ten times as exact as its digits say.
  const half = power === undefined ? 50n : 5n;
  const hundredths = (scaled: bigint): number => Number(`${scaled}e${exponent - 2}`);
  const value = Number(text);
  return {
    value,
    low: hundredths(digits * 100n - half),
    // The end itself does not match. With more than 15 digits it may be the same double as the number.
    high: Math.max(value, numberBefore(hundredths(digits * 100n + half))),
    near: { low: hundredths(digits * 100n - tenth * 10n), high: hundredths(digits * 100n + tenth * 10n) },
  };
}
