/** Dates and numbers of searches and resources as ranges, read from R4 §3.1.1.4.5 to §3.1.1.4.7. */
import type { Element } from './elements.ts';
import { split } from './values.ts';

/* The judge reads JSON of any type. */
/* eslint-disable @typescript-eslint/no-explicit-any */

const PREFIX = /^(eq|ne|gt|ge|lt|le|sa|eb|ap)?(.*)$/s;

/** From its first millisecond to the last one. */
interface Days {
  first: number;
  last: number;
}

function daysOf(text: string): Days {
  const [date = '', time] = text.split('T');
  const [year, month, day] = date.split('-').map(Number) as [number, number?, number?];
  if (!time) {
    const end = new Date(Date.UTC(year, (month ?? 12) - 1, day ?? 1));
    if (day === undefined) end.setUTCMonth(end.getUTCMonth() + 1);
    else end.setUTCDate(day + 1);
    return { first: Date.UTC(year, (month ?? 1) - 1, day ?? 1), last: end.getTime() - 1 };
  }
  const clock = time.replace(/(Z|[+-]\d\d:\d\d)$/, '');
  const zone = time.slice(clock.length) || 'Z';
  const full = clock.length === 5 ? `${clock}:00` : clock;
  const first = Date.parse(`${date}T${full}${zone}`);
  return { first, last: first + (clock.length === 5 ? 59_999 : clock.includes('.') ? 0 : 999) };
}

const LATEST = 8.64e15;

export function daysIn({ type, value }: Element): Days[] {
  const item = value as any;
  if (['date', 'dateTime', 'instant'].includes(type)) return [daysOf(item)];
  if (type === 'Period') {
    if (!item.start && !item.end) return [];
    return [
      {
        first: item.start ? daysOf(item.start).first : -LATEST,
        last: item.end ? daysOf(item.end).last : LATEST,
      },
    ];
  }
  if (type !== 'Timing') return [];
  const events: Days[] = (item.event ?? []).map(daysOf);
  if (events.length === 0)
    return item.repeat?.boundsPeriod ? daysIn({ type: 'Period', value: item.repeat.boundsPeriod }) : [];
  return [
    {
      first: Math.min(...events.map(({ first }) => first)),
      last: Math.max(...events.map(({ last }) => last)),
    },
  ];
}

export const date =
  (now: number) =>
  (element: Element, text: string): boolean => {
    const [, prefix = 'eq', rest = ''] = PREFIX.exec(text)!;
    const wanted = daysOf(rest);
    return daysIn(element).some(({ first, last }) => {
      const isWithin = first >= wanted.first && last <= wanted.last;
      const isLater = last > wanted.last;
      const isEarlier = first < wanted.first;
      const margin = Math.abs(now - wanted.first) / 10;
      const meaning: Record<string, boolean> = {
        eq: isWithin,
        ne: !isWithin,
        gt: isLater,
        lt: isEarlier,
        ge: isLater || isWithin,
        le: isEarlier || isWithin,
        sa: first > wanted.last,
        eb: last < wanted.first,
        ap: first <= wanted.last + margin && last >= wanted.first - margin,
      };
      return meaning[prefix]!;
    });
  };

/** An exact number: `digits` × 10^-`places`. */
interface Decimal {
  digits: bigint;
  places: number;
}

function decimal(text: string): Decimal {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const places = fraction.length - Number(power);
  const digits = BigInt(whole + fraction);
  return places < 0 ? { digits: digits * 10n ** BigInt(-places), places: 0 } : { digits, places };
}

const scaled = ({ digits, places }: Decimal, to: number): bigint => digits * 10n ** BigInt(to - places);

function order(a: Decimal, b: Decimal): number {
  const places = Math.max(a.places, b.places);
  const difference = scaled(a, places) - scaled(b, places);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** One end of the numbers that a value stands for; `open`: without the end itself; undefined: none. */
type End = { at: Decimal; open: boolean } | undefined;

export interface Amount {
  low: End;
  high: End;
  system?: string;
  code?: string;
  unit?: string;
}

export function amountsIn({ type, value }: Element): Amount[] {
  const item = value as any;
  const closed = (number: unknown): End =>
    number === undefined ? undefined : { at: decimal(String(number)), open: false };
  if (typeof item === 'number') return [{ low: closed(item), high: closed(item) }];
  if (type === 'SampledData' || typeof item !== 'object') return [];
  if (type === 'Range') {
    const { system, code, unit } = item.low ?? item.high ?? {};
    if (item.low?.value === undefined && item.high?.value === undefined) return [];
    return [{ low: closed(item.low?.value), high: closed(item.high?.value), system, code, unit }];
  }
  if (item.value === undefined) return [];
  const { comparator = '', system, code, unit } = item;
  const end: End = { at: decimal(String(item.value)), open: comparator === '<' || comparator === '>' };
  return [
    {
      low: comparator.startsWith('<') ? undefined : end,
      high: comparator.startsWith('>') ? undefined : end,
      system,
      code,
      unit,
    },
  ];
}

export function quantity(element: Element, text: string): boolean {
  const [, prefix = 'eq', rest = ''] = PREFIX.exec(text)!;
  const [number = '', system = '', unit = ''] = split(rest, '|');
  return amountsIn(element).some((amount) => {
    const isUnit = unit === '' || amount.code === unit || amount.unit === unit;
    const isSystem = system === '' || amount.system === system;
    return isUnit && isSystem && meets(amount, prefix, number);
  });
}

function meets({ low, high }: Amount, prefix: string, text: string): boolean {
  const value = decimal(text);
  const [half, tenth] = [halfOfLastDigit(text), tenthOf(value)];
  const isFrom = low !== undefined && order(low.at, plus(value, half, -1n)) >= 0;
  const isWithin = isFrom && high !== undefined && isBefore(high, plus(value, half, 1n));
  switch (prefix) {
    case 'ne':
      return !isWithin;
    case 'gt':
      return high === undefined || order(high.at, value) > 0;
    case 'lt':
      return low === undefined || order(low.at, value) < 0;
    case 'ge':
      return high === undefined || !isBefore(high, value);
    case 'le':
      return low === undefined || !isAfter(low, value);
    case 'sa':
      return low !== undefined && isAfter(low, value);
    case 'eb':
      return high !== undefined && isBefore(high, value);
    case 'ap':
      return (
        (low === undefined || !isAfter(low, plus(value, tenth, 1n))) &&
        (high === undefined || !isBefore(high, plus(value, tenth, -1n)))
      );
    default:
      return isWithin;
  }
}

/** Returns true when all numbers up to this end are before the limit. */
function isBefore({ at, open }: NonNullable<End>, limit: Decimal): boolean {
  const compared = order(at, limit);
  return compared < 0 || (compared === 0 && open);
}

/** Returns true when all numbers from this end on are after the limit. */
function isAfter({ at, open }: NonNullable<End>, limit: Decimal): boolean {
  const compared = order(at, limit);
  return compared > 0 || (compared === 0 && open);
}

function plus(a: Decimal, b: Decimal, sign: 1n | -1n): Decimal {
  const places = Math.max(a.places, b.places);
  return { digits: scaled(a, places) + sign * scaled(b, places), places };
}

const tenthOf = ({ digits, places }: Decimal): Decimal => ({
  digits: digits < 0n ? -digits : digits,
  places: places + 1,
});

/** Half of the last digit that was written; in the standard's example, 1e2 is 95 to 105. */
function halfOfLastDigit(text: string): Decimal {
  const [mantissa = '', power] = text.toLowerCase().split('e');
  const decimals = mantissa.split('.')[1]?.length ?? 0;
  return decimal(`5e${power === undefined ? -1 - decimals : Number(power) - 2 - decimals}`);
}
