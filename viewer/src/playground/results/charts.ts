/** The content of a chart of a list: numbers over time, numbers by category, or the count of each value. */
import { momentOf, numberOf, textOf, valuesOf, type Cell, type Column, type ResultTable } from './lists.ts';

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
  const of = kind === 'count' ? [] : where(({ type }) => type === 'number');
  if (kind === 'time') return { by: where(({ type }) => type === 'date'), of };
  return { by: where((column) => kind === 'count' || column.type !== 'number' || isOrdinal(column)), of };
}

/** Names of numbers that are categories with an order: SQL gives the year of a date as a number. */
const ORDINAL = /(^|[._ (])(year|quarter|month|week|day|hour|decade|age|age_group)\)?$/i;

/** Returns true for numbers that are an axis rather than a measure. */
export function isOrdinal({ name, type }: Column): boolean {
  return type === 'number' && ORDINAL.test(name);
}

/** Returns the kinds of charts that the columns of a list allow. */
export function kindsFor(columns: readonly Column[]): ChartKind[] {
  const kinds: ChartKind[] = ['time', 'average', 'sum', 'count'];
  return kinds.filter((kind) => {
    const { by, of } = choicesFor(kind, columns);
    return by.length > 0 && (kind === 'count' || of.length > 0);
  });
}

/** Returns the values of a chart: over time in its order, by date in the order of years, else the largest first. */
export function chartOf({ columns, rows }: ResultTable, { kind, by, of }: ChartChoice): Chart {
  const byName = columns[by]!.name;
  const ofName = of === undefined ? '' : columns[of]!.name;
  if (kind === 'time') {
    const marks = rows.flatMap((cells) => {
      const [date, value] = [cells[by], numberOf(cells[of!]!)];
      if (typeof date !== 'string' || value === undefined) return [];
      return [{ label: date, value, at: momentOf(date) / 1000 }];
    });
    const without = rows.length - marks.length;
    return {
      kind,
      title: `${ofName} over ${byName}`,
      marks: marks.sort((a, b) => a.at - b.at),
      note: without > 0 ? `${without} rows without a date or a number are left out.` : '',
      isOneRowEach: true,
    };
  }
  const isOrdered = columns[by]!.type === 'date' || isOrdinal(columns[by]!);
  const { bars, isOneRowEach } = barsOf(rows, { kind, by, of }, columns[by]!);
  const values = isOneRowEach ? ofName : `${kind === 'sum' ? 'Sum' : 'Average'} of ${ofName}`;
  bars.sort((a, b) => (isOrdered ? ORDER.compare(a.label, b.label) : b.value - a.value));
  return {
    kind,
    title: `${kind === 'count' ? 'Rows' : values} by ${byName}`,
    isOneRowEach,
    marks: bars.slice(0, MOST_BARS),
    note: bars.length > MOST_BARS ? `The first ${MOST_BARS} of ${bars.length} values are shown.` : '',
  };
}

/** A row with several values is in the bar of each. */
function barsOf(rows: ResultTable['rows'], { kind, by, of }: ChartChoice, column: Column) {
  const groups = new Map<string, { sum: number; count: number }>();
  for (const cells of rows) {
    const value = kind === 'count' ? 1 : numberOf(cells[of!]!);
    if (value === undefined) continue;
    for (const category of valuesOf(cells[by]!, column)) {
      const label = labelOf(category, column.type === 'date');
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

/** Returns a value as it is named on an axis: dates are counted by year. */
export function labelOf(cell: Cell, isDate: boolean): string {
  if (cell === null || cell === '') return NOTHING;
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return isDate ? textOf(cell).slice(0, 4) : textOf(cell);
}
