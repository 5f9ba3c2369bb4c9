import { Fault } from '../fault/fault.ts';
import { PREFIX_NAMES, splitPrefix, type Prefix } from './search/search-value.ts';

/** FHIR date search (R4 §3.1.1.4.7). Dates in searches and in resources are both ranges, as wide as their precision. */

/** Milliseconds since the epoch; `high` is exclusive. */
interface DateRange {
  low: number;
  high: number;
}

/** The year 0000, the hour 24 and zones beyond 14 hours are none (R4 §2.24.0.1). */
const DATE =
  /^(?!0000)(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d|60)(?:\.(\d+))?)?(Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))?)?)?)?$/;

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/**
 * Reads the range of a FHIR date, dateTime or instant. Without a zone it is UTC, in data and in searches.
 * @returns undefined for anything else, and for a day that does not exist, such as 30 February
 */
export function dateRange(text: string): DateRange | undefined {
  // A plus sign that was not escaped in the URL arrives as a space.
  const match = DATE.exec(text.includes(' ') ? text.replace(/ (?=\d{2}:\d{2}$)/, '+') : text);
  if (!match) return undefined;
  const [, years, months, days, hours, minutes, seconds, fraction, zone] = match;
  const [year, month, day] = [Number(years), Number(months ?? 1) - 1, Number(days ?? 1)];
  const date = new Date(0);
  // `Date.UTC` would read the year 50 as 1950.
  const midnight = date.setUTCFullYear(year, month, day);
  if (date.getUTCDate() !== day) return undefined;
  if (!months) return { low: midnight, high: date.setUTCFullYear(year + 1, 0, 1) };
  if (!days) return { low: midnight, high: date.setUTCFullYear(year, month + 1, 1) };
  if (!hours) return { low: midnight, high: midnight + DAY };
  const minute = midnight + (Number(hours) * 60 + Number(minutes) - offsetMinutes(zone)) * MINUTE;
  if (!seconds) return { low: minute, high: minute + MINUTE };
  const second = minute + Number(seconds) * 1000;
  if (!fraction) return { low: second, high: second + 1000 };
  const low = second + Number(fraction.slice(0, 3).padEnd(3, '0'));
  return { low, high: low + 1 };
}

function offsetMinutes(zone: string | undefined): number {
  if (!zone || zone === 'Z') return 0;
  return Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
}

/** One value of a date parameter. */
interface DateCriterion {
  prefix: Prefix;
  range: DateRange;
}

/**
 * Reads one value of a date parameter, such as `ge2024-01`.
 * @param name of the parameter
 * @throws Fault `invalid_request` when the value is not a date
 */
export function dateCriterion(name: string, text: string): DateCriterion {
  const { prefix, value } = splitPrefix(text);
  const range = dateRange(value);
  if (range) return { prefix, range };
  throw new Fault(
    'invalid_request',
    `${name} takes a FHIR date, such as ge2024-01-31 or 2024-01-31T10:00:00Z, with an optional prefix out of ${PREFIX_NAMES}.`,
  );
}

/** A condition on one end of a resource's range. */
type Comparison = readonly [end: 'low' | 'high', operator: '<' | '<=' | '>' | '>=', time: number];

/**
 * Returns the conditions of a criterion on a resource's range (R4 §3.1.1.4.5). The range matches when all comparisons of
 * one alternative hold.
 * @param now milliseconds since the epoch; `ap` widens the range by a tenth of its distance from now
 */
export function dateComparisons(
  { prefix, range: { low, high } }: DateCriterion,
  now: number,
): readonly (readonly Comparison[])[] {
  const within: Comparison[] = [
    ['low', '>=', low],
    ['high', '<=', high],
  ];
  switch (prefix) {
    case 'eq':
      return [within];
    case 'ne':
      return [[['low', '<', low]], [['high', '>', high]]];
    case 'gt':
      return [[['high', '>', high]]];
    case 'ge':
      return [[['high', '>', high]], within];
    case 'lt':
      return [[['low', '<', low]]];
    case 'le':
      return [[['low', '<', low]], within];
    case 'sa':
      return [[['low', '>=', high]]];
    case 'eb':
      return [[['high', '<=', low]]];
    case 'ap': {
      const margin = Math.abs(now - low) / 10;
      return [
        [
          ['low', '<', high + margin],
          ['high', '>', low - margin],
        ],
      ];
    }
  }
}

/**
 * Returns true when a date of a resource meets the criterion.
 * @param now milliseconds since the epoch
 */
export function meetsDate(criterion: DateCriterion, target: DateRange, now: number): boolean {
  return dateComparisons(criterion, now).some((comparisons) =>
    comparisons.every(([end, operator, time]) => compare(target[end], operator, time)),
  );
}

function compare(time: number, operator: Comparison[1], other: number): boolean {
  switch (operator) {
    case '<':
      return time < other;
    case '<=':
      return time <= other;
    case '>':
      return time > other;
    case '>=':
      return time >= other;
  }
}
