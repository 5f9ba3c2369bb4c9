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
        ...{ eq: isWithin, ne: !isWithin, gt: isLater, lt: isEarlier },
        ...{ ge: isLater || isWithin, le: isEarlier || isWithin },
        ...{ sa: first > wanted.last, eb: last < wanted.first },
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
    const isUnit =
      unit === '' ||
      ((amount.code === unit || amount.unit === unit) && (system === '' || amount.system === system));
    return isUnit && meets(amount, prefix, number);
  });
}

function meets({ low, high }: Amount, prefix: string, text: string): boolean {
  const value = decimal(text);
  const places = value.places + 2;
  const at = (digits: bigint): Decimal => ({ digits, places });
  const exact = scaled(value, places);
  const power = /e([+-]?\d+)$/i.exec(text)?.[1];
  const decimals = (/\.(\d+)/.exec(text)?.[1] ?? '').length;
  // Half of the last digit that was written; in the standard's example 1e2 is 95 to 105.
  const half =
    power === undefined ? { digits: 5n, places: decimals + 1 } : decimal(`5e${Number(power) - 2 - decimals}`);
  const most = Math.max(places, half.places);
  const from: Decimal = { digits: scaled(value, most) - scaled(half, most), places: most };
  const to: Decimal = { digits: scaled(value, most) + scaled(half, most), places: most };
  const isFrom = low !== undefined && order(low.at, from) >= 0;
  const isTo = high !== undefined && (order(high.at, to) < 0 || (high.open && order(high.at, to) === 0));
  const above = high === undefined || order(high.at, value) > 0;
  const beneath = low === undefined || order(low.at, value) < 0;
  const tenth = (exact < 0n ? -exact : exact) / 1n;
  const near = { digits: tenth, places: places + 1 };
  const reaches = (end: End, limit: Decimal, sign: 1 | -1): boolean => {
    if (end === undefined) return true;
    const compared = order(end.at, limit) * sign;
    return compared > 0 || (compared === 0 && !end.open);
  };
  const shifted = (sign: bigint): Decimal => {
    const wide = near.places;
    return { digits: scaled(at(exact), wide) + sign * near.digits, places: wide };
  };
  switch (prefix) {
    case 'ne':
      return !(isFrom && isTo);
    case 'gt':
      return above;
    case 'lt':
      return beneath;
    case 'ge':
      return reaches(high, value, 1);
    case 'le':
      return reaches(low, value, -1);
    case 'sa':
      return low !== undefined && (order(low.at, value) > 0 || (low.open && order(low.at, value) === 0));
    case 'eb':
      return high !== undefined && (order(high.at, value) < 0 || (high.open && order(high.at, value) === 0));
    case 'ap':
      return reaches(low, shifted(1n), -1) && reaches(high, shifted(-1n), 1);
    default:
      return isFrom && isTo;
  }
}
