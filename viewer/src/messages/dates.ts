import { getLocale } from './compiled/runtime.js';
import type { Wording } from './modalities.ts';

/** Dates with the month before the day are misread elsewhere: English dates are `12 Mar 2026`. */
const DATES: Record<string, string> = { en: 'en-GB', es: 'es' };

/** Returns the language in which dates are written. (BCP 47) */
export function dateLanguage(): string {
  return DATES[getLocale()]!;
}

const DAY_MS = 86_400_000;
/** Each with its length in days, and from how many days it is used: "17 months" says more than "1 year". */
const UNITS = [
  ['year', 365.25, 730],
  ['month', 30.44, 61],
  ['week', 7, 14],
] as const;

/** Formats a FHIR date or dateTime as `12 Mar 2026`, `Mar 2026` or `2026`; returns any other text unchanged. */
export function dayOf(date: string): string {
  const [, year, month, day] = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?/.exec(date) ?? [];
  if (!year) return date;
  if (!month) return year;
  const at = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day ?? 1)));
  return (day === undefined ? monthsIn : daysIn)(dateLanguage()).format(at);
}

/** Returns a function that makes each language's format once: making one takes longer than using it a hundred times. */
function once<Format>(make: (language: string) => Format): (language: string) => Format {
  const made = new Map<string, Format>();
  return (language) => {
    const format = made.get(language) ?? make(language);
    made.set(language, format);
    return format;
  };
}

const MONTH = { timeZone: 'UTC', year: 'numeric', month: 'short' } as const;
const monthsIn = once((language) => new Intl.DateTimeFormat(language, MONTH));
const daysIn = once((language) => new Intl.DateTimeFormat(language, { ...MONTH, day: 'numeric' }));
const agoIn = once((language) => new Intl.RelativeTimeFormat(language, { numeric: 'auto' }));

/** Formats the time between two dates as `14 months`; undefined if a day is not known, or both are the same. */
export function spanOf(from: string, to: string): string | undefined {
  const [start, end] = [dayNumber(from), dayNumber(to)];
  if (start === undefined || end === undefined || start === end) return undefined;
  const { count, unit } = inUnit(end - start);
  return new Intl.NumberFormat(getLocale(), { style: 'unit', unit, unitDisplay: 'long' }).format(
    Math.abs(count),
  );
}

/** Formats a date as `3 weeks ago`; undefined if its day is not known. */
export function agoOf(date: string, today: string): string | undefined {
  const [then, now] = [dayNumber(date), dayNumber(today)];
  if (then === undefined || now === undefined) return undefined;
  const { count, unit } = inUnit(then - now);
  return agoIn(getLocale()).format(count, unit);
}

/** Formats a date for the wording: `3 weeks ago (12 Mar 2026)`, or the date alone. */
export function dateFor(wording: Wording, date: string, today: string): string {
  const ago = wording === 'plain' ? agoOf(date, today) : undefined;
  return ago === undefined ? dayOf(date) : `${ago} (${dayOf(date)})`;
}

/** Returns the completed years between a FHIR birth date and today (both `YYYY[-MM[-DD]]`); undefined if unknown. */
export function ageOn(birthDate: string | undefined, today: string): number | undefined {
  if (!birthDate || !/^\d{4}/.test(birthDate)) return undefined;
  const years = Number(today.slice(0, 4)) - Number(birthDate.slice(0, 4));
  return today.slice(5) < birthDate.slice(5) ? years - 1 : years;
}

/** Formats a DICOM date (`YYYYMMDD`) as a FHIR date. */
export function fromDicomDate(date: string | undefined): string | undefined {
  return /^\d{8}$/.test(date ?? '') ? date!.replace(/(....)(..)(..)/, '$1-$2-$3') : undefined;
}

/** Days since 1970; undefined unless year, month and day are known. */
function dayNumber(date: string): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(date) ?? [];
  return year ? Date.UTC(Number(year), Number(month) - 1, Number(day)) / DAY_MS : undefined;
}

function inUnit(days: number): { count: number; unit: 'year' | 'month' | 'week' | 'day' } {
  const [unit, length] = UNITS.find(([, , from]) => Math.abs(days) >= from) ?? (['day', 1] as const);
  return { count: Math.trunc(days / length), unit };
}
