import { Fault } from '../../../schema/fault/fault.ts';

/** FHIR date search (FHIR R4 §3.1.1.4.7): both sides are ranges, as wide as their precision. */

/** Milliseconds since the epoch, from `low` up to, not including, `high`. */
export interface DateRange {
  low: number;
  high: number;
}

const PREFIXES = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'sa', 'eb', 'ap'] as const;
export type Prefix = (typeof PREFIXES)[number];

export interface DateCriterion {
  prefix: Prefix;
  range: DateRange;
}

const DATE =
  /^(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d|60)(?:\.(\d+))?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/;

/** The range that a FHIR date, dateTime or instant spans; one without a zone is read as UTC. Undefined for anything else. */
export function dateRange(value: string): DateRange | undefined {
  const [, year, month, day, hours, minutes, seconds, fraction, zone] = DATE.exec(value) ?? [];
  if (!year) return undefined;
  const low = Date.parse(`${year}-${month ?? '01'}-${day ?? '01'}T${hours ?? '00'}:${minutes ?? '00'}:00Z`);
  // The 30th of February is no day.
  if (Number.isNaN(low) || (day && new Date(low).getUTCDate() !== Number(day))) return undefined;
  if (!month) return { low, high: Date.UTC(Number(year) + 1, 0) };
  if (!day) return { low, high: Date.UTC(Number(year), Number(month)) };
  if (!hours) return { low, high: low + 86_400_000 };
  const zoned = low - offsetMinutes(zone) * 60_000;
  if (!seconds) return { low: zoned, high: zoned + 60_000 };
  const exact = zoned + Number(seconds) * 1000;
  if (!fraction) return { low: exact, high: exact + 1000 };
  const milliseconds = exact + Math.floor(Number(`0.${fraction}`) * 1000 + 1e-6);
  return { low: milliseconds, high: milliseconds + Math.max(1, 10 ** (3 - fraction.length)) };
}

/**
 * One value of a date parameter, such as `ge2024-01`.
 * @throws Fault `invalid_request` for what is not a date
 */
export function dateCriterion(name: string, text: string): DateCriterion {
  const prefix = PREFIXES.find((candidate) => text.startsWith(candidate));
  // A plus sign that nobody escaped arrives as a space.
  const value = (prefix ? text.slice(2) : text).replace(/ (?=\d{2}:\d{2}$)/, '+');
  const range = dateRange(value);
  if (!range) {
    throw new Fault(
      'invalid_request',
      `${name} takes a FHIR date, such as ge2024-01-31 or 2024-01-31T10:00:00Z, with an optional prefix out of ${PREFIXES.join(', ')}.`,
    );
  }
  return { prefix: prefix ?? 'eq', range };
}

/**
 * Whether a date of a resource meets the criterion.
 * @param now milliseconds since the epoch; `ap` widens by a tenth of the distance from now
 */
export function meetsDate({ prefix, range }: DateCriterion, target: DateRange, now: number): boolean {
  const within = target.low >= range.low && target.high <= range.high;
  switch (prefix) {
    case 'eq':
      return within;
    case 'ne':
      return !within;
    case 'gt':
      return target.high > range.high;
    case 'ge':
      return target.high > range.high || within;
    case 'lt':
      return target.low < range.low;
    case 'le':
      return target.low < range.low || within;
    case 'sa':
      return target.low >= range.high;
    case 'eb':
      return target.high <= range.low;
    case 'ap': {
      const margin = Math.abs(now - range.low) / 10;
      return target.low < range.high + margin && target.high > range.low - margin;
    }
  }
}

function offsetMinutes(zone: string | undefined): number {
  if (!zone || zone === 'Z') return 0;
  return Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
}
