/** Dates and times of FHIR in expressions: compared (FHIRPath §6.1, §6.2), and their boundaries (§5.6 of the draft). */

const PARTS =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/;

/** Numbers of year, month, day, hour, minute and second with fraction, as many as are written. */
interface Parts {
  numbers: number[];
  zone: string | undefined;
}

function partsOf(text: string): Parts | undefined {
  const match = PARTS.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second, fraction, zone] = match;
  const written = [year, month, day, hour, minute, second && `${second}.${fraction ?? 0}`];
  return { numbers: written.filter((part) => part !== undefined).map(Number), zone };
}

/** Moves a time with a zone to UTC. */
function inUtc({ numbers, zone }: Parts): number[] {
  const [year, month, day, hour, minute, second] = numbers;
  if (zone === undefined || zone === 'Z' || hour === undefined) return numbers;
  const minutes = Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4)));
  const time = new Date(Date.UTC(year!, month! - 1, day, hour, minute! - minutes));
  const moved = [time.getUTCMonth() + 1, time.getUTCDate(), time.getUTCHours(), time.getUTCMinutes()];
  return [time.getUTCFullYear(), ...moved, ...(second === undefined ? [] : [second])];
}

/**
 * Compares two dates, part by part.
 * @returns a negative number, 0 or a positive one; undefined when the parts that only one of them has would decide
 */
export function compareDates(one: string, other: string): number | undefined {
  if (one === other) return 0;
  const [first, second] = [partsOf(one), partsOf(other)];
  if (!first || !second) return undefined;
  const [left, right] = [inUtc(first), inUtc(second)];
  // A time without a zone may be of any.
  const both = Math.min(left.length, right.length);
  const isUnclear = both > 3 && (first.zone === undefined) !== (second.zone === undefined);
  for (let index = 0; index < (isUnclear ? 3 : both); index++) {
    const difference = left[index]! - right[index]!;
    if (difference !== 0) return difference;
  }
  return left.length === right.length && !isUnclear ? 0 : undefined;
}

const LOWEST = '0001-01-01T00:00:00.000';
const HIGHEST = '9999-12-31T23:59:59.999';

/**
 * Returns the first or the last moment that a date, dateTime or time may mean, as precise as its type can be.
 * @returns undefined for a text that is none
 */
export function boundary(type: string, text: string, end: 'low' | 'high'): string | undefined {
  const fill = end === 'low' ? LOWEST : HIGHEST;
  if (type === 'time') return /^\d\d:\d\d/.test(text) ? text + fill.slice(11 + text.length) : undefined;
  const parts = partsOf(text);
  if (!parts) return undefined;
  const { zone = end === 'low' ? '+14:00' : '-12:00', numbers } = parts;
  const written = text.slice(0, text.length - (parts.zone?.length ?? 0));
  let filled = written + fill.slice(written.length);
  // The last day of a month that is written without a day.
  if (numbers.length < 3 && end === 'high') {
    const last = new Date(Date.UTC(numbers[0]!, numbers[1] ?? 12, 0)).getUTCDate();
    filled = `${filled.slice(0, 8)}${last}${filled.slice(10)}`;
  }
  return type === 'date' ? filled.slice(0, 10) : filled + zone;
}
