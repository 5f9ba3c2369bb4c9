/** Dates and times as Parquet has them. */
import type { SchemaElement } from 'hyparquet';
import type { Cell } from './lists.ts';

/** A column of Parquet without its name. */
export interface Moments {
  element: Pick<SchemaElement, 'type' | 'converted_type' | 'logical_type'>;
  data: (Date | bigint | Cell)[];
}

const DATE = /^\d{4}-\d\d-\d\d$/;
/** A time with at most the digits that a column has room for. */
const TIME = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)?$/;

/**
 * Returns dates as DATE, or times as TIMESTAMP in microseconds: those with an offset in UTC, those without as local times.
 * @returns undefined for a column that has a month or a year, or several of these kinds: it stays a text
 */
export function momentsOf(cells: readonly Cell[]): Moments | undefined {
  const texts = cells.filter((cell) => cell !== null).map(String);
  if (texts.every((text) => DATE.test(text) && dayOf(text)))
    return {
      element: { type: 'INT32', converted_type: 'DATE' },
      data: cells.map((cell) => (cell === null ? null : dayOf(String(cell))!)),
    };
  const isUtc = texts.every((text) => TIME.exec(text)?.[4]);
  if (!isUtc && !texts.every((text) => TIME.test(text) && !TIME.exec(text)![4])) return undefined;
  const data = cells.map((cell) => (cell === null ? null : microsecondsOf(String(cell))));
  if (data.includes(undefined)) return undefined;
  return {
    element: {
      type: 'INT64',
      ...(isUtc && { converted_type: 'TIMESTAMP_MICROS' as const }),
      logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: isUtc, unit: 'MICROS' },
    },
    data: data as (bigint | null)[],
  };
}

/** Returns a day; undefined for one that no calendar has. */
function dayOf(text: string): Date | undefined {
  const day = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text) ? day : undefined;
}

/** Returns the microseconds since 1970; undefined for a time that there is not. JavaScript's dates have milliseconds. */
function microsecondsOf(text: string): bigint | undefined {
  const [, day, time, fraction = '', offset = 'Z'] = TIME.exec(text)!;
  const milliseconds = Date.parse(`${day}${time}${offset}`);
  if (!dayOf(day!) || Number.isNaN(milliseconds)) return undefined;
  return BigInt(milliseconds) * 1000n + BigInt(fraction.padEnd(6, '0'));
}
