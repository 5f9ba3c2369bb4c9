/** The content of a chart of a list: numbers over time, numbers by category, or the count of each value. */
import { isIdentifier, isOneSeries, isOrdinal, isPeriod } from './column-roles.ts';
import { momentOf, numberOf, textOf, valuesOf, type Cell, type Column, type ResultTable } from './lists.ts';
import { periodFor, periodOf, spanOf, type Period } from './periods.ts';

export type ChartKind = 'time' | 'average' | 'sum' | 'count';

export interface ChartChoice {
  kind: ChartKind;
  /** Indices of columns: of dates or categories, and of the numbers; counts need no numbers. */
  by: number;
  of: number | undefined;
}

export interface Mark {
  label: string;
  value: number;
  /** Seconds since 1970, over time. */
  at: number | undefined;
}

export interface Chart {
  kind: ChartKind;
  title: string;
  marks: readonly Mark[];
  /** The part that is not shown; empty if all is. */
  note: string;
  /** True if no bar is made of several rows: nothing is averaged. */
  isOneRowEach: boolean;
  /** True if values over time are connected: those of several patients are not the course of one. */
  isLine: boolean;
}

/** Bars that are told apart. */
const MOST_BARS = 30;
const NOTHING = '(no value)';
const ORDER = new Intl.Collator('en', { numeric: true });

/** Returns the columns among which a chart of a kind has a choice. */
export function choicesFor(
  kind: ChartKind,
  columns: readonly Column[],
): { by: readonly number[]; of: readonly number[] } {
  const where = (suits: (column: Column) => boolean) =>
    columns.flatMap((column, at) => (suits(column) ? [at] : []));
  const isMeasure = (column: Column) =>
    column.type === 'number' && !isIdentifier(column) && !isPeriod(column);
  const of = kind === 'count' ? [] : where(isMeasure);
  if (kind === 'time') return { by: where(({ type }) => type === 'date'), of };
  return { by: where((column) => kind === 'count' || column.type !== 'number' || isOrdinal(column)), of };
}

/** Returns the kinds of charts that the columns of a list allow. */
export function kindsFor(columns: readonly Column[]): ChartKind[] {
  const kinds: ChartKind[] = ['time', 'average', 'sum', 'count'];
  return kinds.filter((kind) => {
    const { by, of } = choicesFor(kind, columns);
    return by.length > 0 && (kind === 'count' || of.length > 0);
  });
}

/** Returns the values of a chart: over time and by what has an order in that order, else the largest first. */
export function chartOf(table: ResultTable, choice: ChartChoice): Chart {
  return choice.kind === 'time' ? overTime(table, choice) : inBars(table, choice);
}

function overTime(table: ResultTable, { kind, by, of }: ChartChoice): Chart {
  const { columns, rows } = table;
  const marks = rows.flatMap((cells) => {
    const [date, value] = [cells[by], numberOf(cells[of!]!)];
    if (typeof date !== 'string' || value === undefined) return [];
    return [{ label: date, value, at: momentOf(date) / 1000 }];
  });
  const without = rows.length - marks.length;
  return {
    kind,
    title: `${columns[of!]!.name} over ${columns[by]!.name}`,
    marks: marks.sort((a, b) => a.at - b.at),
    note: without > 0 ? `${without} rows without a date or a number are left out.` : '',
    isOneRowEach: true,
    isLine: isOneSeries(table) && new Set(marks.map(({ at }) => at)).size === marks.length,
  };
}

/** Years are an order also where they are texts. */
const YEAR = /^\d{4}$/;

function inBars(table: ResultTable, choice: ChartChoice): Chart {
  const { kind, by, of } = choice;
  const column = table.columns[by]!;
  const dates = table.rows.flatMap((cells) => (typeof cells[by] === 'string' ? [cells[by]] : []));
  // No more bars than rows: those would be gaps.
  const period =
    column.type === 'date' ? periodFor(dates, Math.min(MOST_BARS, table.rows.length)) : undefined;
  const { bars, isOneRowEach } = barsOf(table, choice, period);
  const isSum = kind === 'count' || kind === 'sum';
  if (period && isSum) bars.push(...gapsIn(bars, spanOf(dates, period)));
  const isOrdered =
    column.type === 'date' ||
    column.type === 'number' ||
    isOrdinal(column) ||
    bars.every(({ label }) => YEAR.test(label) || label === NOTHING);
  bars.sort((a, b) => (isOrdered ? ORDER.compare(a.label, b.label) : b.value - a.value));
  const ofName = of === undefined ? '' : table.columns[of]!.name;
  const values = isOneRowEach ? ofName : `${kind === 'sum' ? 'Sum' : 'Average'} of ${ofName}`;
  return {
    kind,
    title: `${kind === 'count' ? 'Rows' : values} by ${period ? `${period} of ` : ''}${column.name}`,
    isOneRowEach,
    isLine: false,
    marks: bars.slice(0, MOST_BARS),
    note: bars.length > MOST_BARS ? `The first ${MOST_BARS} of ${bars.length} values are shown.` : '',
  };
}

function gapsIn(bars: readonly Mark[], span: readonly string[]): Mark[] {
  const known = new Set(bars.map(({ label }) => label));
  if (span.length > MOST_BARS) return [];
  return span.filter((label) => !known.has(label)).map((label) => ({ label, value: 0, at: undefined }));
}

/** A row with several values is in the bar of each. @param period of dates; undefined for other values */
function barsOf({ columns, rows }: ResultTable, { kind, by, of }: ChartChoice, period: Period | undefined) {
  const groups = new Map<string, { sum: number; count: number }>();
  for (const cells of rows) {
    const value = kind === 'count' ? 1 : numberOf(cells[of!]!);
    if (value === undefined) continue;
    for (const category of valuesOf(cells[by]!, columns[by]!)) {
      const label = labelOf(category, period);
      const group = groups.get(label) ?? { sum: 0, count: 0 };
      groups.set(label, { sum: group.sum + value, count: group.count + 1 });
    }
  }
  const bars = [...groups].map(([label, { sum, count }]): Mark => ({
    label,
    value: kind === 'count' ? count : kind === 'sum' ? sum : sum / count,
    at: undefined,
  }));
  return { bars, isOneRowEach: [...groups.values()].every(({ count }) => count === 1) };
}

/** Returns a value as it is named on an axis. @param period of a date; undefined for other values */
export function labelOf(cell: Cell, period: Period | undefined): string {
  if (cell === null || cell === '') return NOTHING;
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return period ? periodOf(textOf(cell), period) : textOf(cell);
}
