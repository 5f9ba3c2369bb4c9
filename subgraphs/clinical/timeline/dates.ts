import type { Period, Timing } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { dateRange } from '../../../schema/fhir/date-range.ts';

/** When something happened: FHIR dates, dateTimes or instants as the record states them. */
export interface When {
  date?: string | undefined;
  /** Beginning of `date`: milliseconds since the epoch. */
  start?: number | undefined;
  end?: string | undefined;
  /** True for what has no end yet. */
  isOpen?: boolean;
}

const HOUR = 60 * 60 * 1000;

/**
 * Longest time in milliseconds between two moments of the same written day: 24 hours, and the zones from +14:00 to -12:00.
 */
export const WRITTEN_DAY = (24 + 26) * HOUR;

/** Returns the dates of a Period. */
export function ofPeriod(period: Period | undefined): When | undefined {
  if (!period) return undefined;
  const end = ofDate(period.end)?.date;
  return { ...ofDate(period.start), end, isOpen: end === undefined };
}

/** Returns the first and the last event of a Timing. */
export function ofTiming(timing: Timing | undefined): When | undefined {
  const events = (timing?.event ?? []).filter((event) => startOf(event) !== undefined);
  events.sort((a, b) => startOf(a)! - startOf(b)!);
  return events.length === 0
    ? undefined
    : { ...ofDate(events[0]), end: events.length > 1 ? events.at(-1) : undefined };
}

/** Returns a date if it is one. */
export function ofDate(date: string | undefined): When | undefined {
  const start = startOf(date);
  return start === undefined ? undefined : { date, start };
}

/** Returns the beginning of a date in milliseconds since the epoch: of a year its first second, in UTC. */
export function startOf(date: string | undefined): number | undefined {
  return typeof date === 'string' ? dateRange(date)?.low : undefined;
}

/** Returns the end in milliseconds since the epoch, of a date as wide as its precision; Infinity for an open period. */
export function endOf({ date, end, isOpen }: When): number {
  const range = dateRange(end ?? date ?? '');
  return isOpen || !range ? Infinity : range.high;
}

/** Returns the day that a date names in its own zone, or the year or month if it names no day. */
export function writtenDay(date: string): string {
  return date.slice(0, 10);
}

/** Bounds of a search by date. */
export interface DateBounds {
  from?: string | undefined;
  to?: string | undefined;
}

/** @throws Fault `invalid_request` for a bound that is not a FHIR date */
export function requireDates({ from, to }: DateBounds): void {
  for (const [name, date] of Object.entries({ from, to })) {
    if (date !== undefined && !dateRange(date))
      throw new Fault('invalid_request', `${name} takes a FHIR date, such as 2026-01-31.`);
  }
}

/** Years of four digits, which FHIR dates have. */
const [EARLIEST, LATEST] = [Date.parse('0001-01-01'), Date.parse('9999-12-31')];

/** Returns the condition that a date begins at a moment or before it. @param time milliseconds since the epoch */
export function beginsBy(parameter: string, time: number): [string, string] {
  const last = Math.min(Math.max(time, EARLIEST), LATEST);
  return [parameter, `lt${new Date(last + 1).toISOString()}`];
}

/**
 * Returns the conditions for what overlaps the bounds. Not `ge` and `le`, which leave out an encounter that lasts from a
 * day within the bounds to one without (R4 §3.1.1.4.7).
 */
export function overlaps(parameter: string, { from, to }: DateBounds): [string, string][] {
  const conditions: [string, string][] = [];
  const [low, high] = [dateRange(from ?? '')?.low, dateRange(to ?? '')?.high];
  if (low !== undefined && low > EARLIEST)
    conditions.push([parameter, `gt${new Date(low - 1).toISOString()}`]);
  if (high !== undefined && high < LATEST) conditions.push(beginsBy(parameter, high - 1));
  return conditions;
}

/** Returns true if something overlaps the bounds; what has no end yet overlaps all times after its beginning. */
export function isWithin(when: When, { from, to }: DateBounds): boolean {
  if (from === undefined && to === undefined) return true;
  const start = startOf(when.date);
  if (start === undefined) return false;
  const [low, high] = [dateRange(from ?? '')?.low, dateRange(to ?? '')?.high];
  return (low === undefined || endOf(when) > low) && (high === undefined || start < high);
}
