import type { Period, Quantity, Range, Timing } from 'fhir/r4.js';
import { dateRange } from '../../../schema/fhir/date-range.ts';

/** A span of numbers, or of times in milliseconds since the epoch; for times `high` is exclusive. */
export interface Span {
  low: number;
  high: number;
}

/** An open end, as a number that SQLite stores exactly. */
export const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/** Returns the span of a Period; a missing end is open. */
export function periodSpan({ start, end }: Period): Span | undefined {
  const from = start === undefined ? undefined : dateRange(start);
  const to = end === undefined ? undefined : dateRange(end);
  return from || to ? { low: from?.low ?? -UNBOUNDED, high: to?.high ?? UNBOUNDED } : undefined;
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

/** Returns the numbers of a Quantity: one, or with a comparator all numbers on one side. */
export function quantitySpan({ value, comparator }: Quantity): Span | undefined {
  if (value === undefined) return undefined;
  if (comparator?.startsWith('<')) return { low: -UNBOUNDED, high: value };
  if (comparator?.startsWith('>')) return { low: value, high: UNBOUNDED };
  return { low: value, high: value };
}

/** Returns the numbers of a Range of quantities. */
export function rangeSpan({ low, high }: Range): Span | undefined {
  if (low?.value === undefined && high?.value === undefined) return undefined;
  return { low: low?.value ?? -UNBOUNDED, high: high?.value ?? UNBOUNDED };
}

/** Returns the numbers that a number in a search matches: 100 is 99.5 to 100.5, 1e2 is 95 to 105 (R4 §3.1.1.4.3). */
export function numberSpan(text: string): (Span & { value: number }) | undefined {
  const match = /^[+-]?\d+(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) return undefined;
  const value = Number(text);
  // In the standard's example, a number with an exponent is ten times as exact as its digits say.
  const exponent = match[2] === undefined ? 0 : Number(match[2]) - 1;
  const half = 0.5 * 10 ** (exponent - (match[1]?.length ?? 0));
  return { value, low: value - half, high: value + half };
}
