/** Times of a chart, in seconds since 1970, and the part of them that is shown. */

const DAY = 86_400;

export interface TimeRange {
  from: number;
  to: number;
}

/**
 * Returns a FHIR date or dateTime as it is written, whatever its time zone: a value stands at the date that the table says.
 * A month or a year is its first day. Undefined if it is no date.
 */
export function secondsOf(date: string): number | undefined {
  const [, year, month = '1', day = '1', hour = '0', minute = '0'] =
    /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:T(\d\d):(\d\d))?/.exec(date) ?? [];
  if (year === undefined) return undefined;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute)) / 1000;
}

/** Returns the range that shows all times, with some space beside them. @param times at least one, ascending */
export function wholeRange(times: readonly number[]): TimeRange {
  const [first, last] = [times[0]!, times.at(-1)!];
  const space = Math.max((last - first) * 0.06, first === last ? 30 * DAY : DAY);
  return { from: first - space, to: last + space };
}

/** Returns a range that is `factor` times as long, around its middle or around what is read; a day at least. */
export function zoomed({ from, to }: TimeRange, factor: number, around = (from + to) / 2): TimeRange {
  const inside = Math.min(Math.max(around, from), to);
  const shorter = Math.max(factor, Math.min(1, DAY / (to - from)));
  return { from: inside - (inside - from) * shorter, to: inside + (to - inside) * shorter };
}

/** Returns a range of the same length that has a time in it. */
export function moved({ from, to }: TimeRange, time: number): TimeRange {
  if (time >= from && time <= to) return { from, to };
  const half = (to - from) / 2;
  return { from: time - half, to: time + half };
}

/** Returns the part of a range that is within limits. */
export function within({ from, to }: TimeRange, limits: TimeRange): TimeRange {
  return { from: Math.max(from, limits.from), to: Math.min(to, limits.to) };
}
