/** Periods by which dates are counted. Dates are texts, and may be a month or a year. */

/** Characters of a date that name its period; a decade has three, and “0s”. */
const PERIODS = { day: 10, month: 7, year: 4, decade: 3 } as const;
export type Period = keyof typeof PERIODS;

/** Returns the name of the period in which a date is. */
export function periodOf(date: string, period: Period): string {
  const start = date.slice(0, PERIODS[period]);
  return period === 'decade' ? `${start}0s` : start;
}

/** The number of a period in its order, and the name of the one with a number. */
const numbers: Readonly<
  Record<Period, { from: (date: string) => number; name: (number: number) => string }>
> = {
  day: {
    from: (date) => Date.parse(date.slice(0, 10)) / 86_400_000,
    name: (number) => new Date(number * 86_400_000).toISOString().slice(0, 10),
  },
  month: {
    from: (date) => Number(date.slice(0, 4)) * 12 + Number(date.slice(5, 7)) - 1,
    name: (number) => `${yearName(number / 12)}-${String((number % 12) + 1).padStart(2, '0')}`,
  },
  year: { from: (date) => Number(date.slice(0, 4)), name: (number) => yearName(number) },
  decade: { from: (date) => Number(date.slice(0, 3)), name: (number) => `${yearName(number * 10)}s` },
};

const yearName = (year: number) => String(Math.floor(year)).padStart(4, '0');

/** Returns the finest period that all dates have, of which there are at most so many from the first date to the last. */
export function periodFor(dates: readonly string[], most: number): Period {
  const precision = Math.min(...dates.map(({ length }) => length));
  const fits = (period: Period) => PERIODS[period] <= precision && spanOf(dates, period).length <= most;
  return (['day', 'month', 'year'] as const).find(fits) ?? 'decade';
}

/** Returns the names of all periods from the first date to the last: one without rows is a gap that is seen. */
export function spanOf(dates: readonly string[], period: Period): string[] {
  const { from, name } = numbers[period];
  const all = dates.map(from).filter(Number.isFinite);
  const [first, last] = [Math.min(...all), Math.max(...all)];
  // Two dates may be far apart: more than these are too many for any chart.
  return Array.from({ length: Math.min(Math.max(last - first + 1, 0), 5000) }, (_, at) => name(first + at));
}
