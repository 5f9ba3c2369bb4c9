import type { Period, Quantity, Range, Timing } from 'fhir/r4.js';

/** A span of time in ms since the epoch, or of numbers: `low` belongs to it, `high` does not, for times. */
export interface Span {
  low: number;
  high: number;
}

/** Stands for an open end; SQLite keeps it as it is. */
export const UNBOUNDED = Number.MAX_SAFE_INTEGER;

const DATE =
  /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/;

/**
 * The span that a FHIR date, dateTime or instant stands for, as long as its precision says; one without a zone is
 * read as UTC, in data and in searches alike. Undefined for anything else.
 */
export function dateSpan(text: string): Span | undefined {
  const match = DATE.exec(text.replace(' ', '+'));
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const utc = (y: number, m: number, d: number) =>
    Date.UTC(y, m, d, Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0));
  const [y, m, d] = [Number(year), Number(month ?? 1) - 1, Number(day ?? 1)];
  if (m > 11 || d > 31 || m < 0 || d < 1) return undefined;
  const low = utc(y, m, d) + Number((fraction ?? '').padEnd(3, '0').slice(0, 3)) - zoneOffset(zone);
  if (fraction) return { low, high: low + 1 };
  if (second) return { low, high: low + 1_000 };
  if (hour) return { low, high: low + 60_000 };
  if (day) return { low, high: utc(y, m, d + 1) };
  return { low, high: month ? utc(y, m + 1, 1) : utc(y + 1, 0, 1) };
}

function zoneOffset(zone: string | undefined): number {
  if (!zone || zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}

/** The span of a Period; a missing end is open. */
export function periodSpan({ start, end }: Period): Span | undefined {
  const from = start === undefined ? undefined : dateSpan(start);
  const to = end === undefined ? undefined : dateSpan(end);
  return from || to ? { low: from?.low ?? -UNBOUNDED, high: to?.high ?? UNBOUNDED } : undefined;
}

/** From the first to the last event of a Timing, or the period that bounds its repetition. */
export function timingSpan({ event, repeat }: Timing): Span | undefined {
  const spans = (event ?? []).map(dateSpan).filter((span) => span !== undefined);
  if (spans.length > 0) {
    return {
      low: Math.min(...spans.map(({ low }) => low)),
      high: Math.max(...spans.map(({ high }) => high)),
    };
  }
  return repeat?.boundsPeriod && periodSpan(repeat.boundsPeriod);
}

/** The numbers a Quantity may stand for: one, or with a comparator all to one side. */
export function quantitySpan({ value, comparator }: Quantity): Span | undefined {
  if (value === undefined) return undefined;
  if (comparator?.startsWith('<')) return { low: -UNBOUNDED, high: value };
  if (comparator?.startsWith('>')) return { low: value, high: UNBOUNDED };
  return { low: value, high: value };
}

/** The numbers of a Range of quantities. */
export function rangeSpan({ low, high }: Range): Span | undefined {
  if (low?.value === undefined && high?.value === undefined) return undefined;
  return { low: low?.value ?? -UNBOUNDED, high: high?.value ?? UNBOUNDED };
}

/** What a number in a search stands for: 100 is 99.5 to 100.5, 1e2 is 95 to 105 (R4 §3.1.1.4.3). */
export function numberSpan(text: string): (Span & { value: number }) | undefined {
  const match = /^[+-]?\d+(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match) return undefined;
  const value = Number(text);
  // The standard's own example takes an exponent to be ten times as exact as its digits say.
  const exponent = match[2] === undefined ? 0 : Number(match[2]) - 1;
  const half = 0.5 * 10 ** (exponent - (match[1]?.length ?? 0));
  return { value, low: value - half, high: value + half };
}
