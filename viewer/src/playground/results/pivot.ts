/** A pivot: rows by columns, with a measure of the rows of the list that have both values. */
import { labelOf } from './charts.ts';
import { numberOf, valuesOf, type Cell, type Column, type ResultTable } from './lists.ts';

export type Measure = 'count' | 'sum' | 'mean' | 'median';

export interface PivotChoice {
  /** Indices of columns of the list, and of its numbers; a count needs no numbers. */
  rows: number;
  columns: number;
  measure: Measure;
  of: number | undefined;
}

/** Columns that are read beside each other. */
const MOST_COLUMNS = 30;
const OTHERS = '(others)';
const TOTAL = 'All';

const MEASURES: Readonly<Record<Measure, (numbers: readonly number[]) => number>> = {
  count: (numbers) => numbers.length,
  sum: (numbers) => numbers.reduce((sum, number) => sum + number, 0),
  mean: (numbers) => MEASURES.sum(numbers) / numbers.length,
  median(numbers) {
    const sorted = [...numbers].sort((a, b) => a - b);
    const middle = sorted.length / 2;
    return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  },
};

/** The numbers of a pivot, by the labels of row and column. */
type Groups = Map<string, Map<string, number[]>>;

/**
 * Returns a pivot as a table: a row for each value, a column for each value, and one for all of them. A row of the list with
 * several values is in the place of each, and once in that of all. Dates are years.
 */
export function pivotOf(table: ResultTable, choice: PivotChoice): ResultTable {
  const { groups, totals, sizes } = grouped(table, choice);
  const largest = [...sizes].sort((a, b) => b[1] - a[1]).map(([label]) => label);
  const shown = new Set(largest.slice(0, largest.length > MOST_COLUMNS ? MOST_COLUMNS - 1 : MOST_COLUMNS));
  const hasOthers = shown.size < largest.length;
  const names = [...inOrder(shown), ...(hasOthers ? [OTHERS] : [])];
  const measure = (numbers: readonly number[]): Cell => {
    if (numbers.length === 0) return choice.measure === 'count' ? 0 : null;
    return MEASURES[choice.measure](numbers);
  };
  const rows = inOrder(groups.keys()).map((label): Cell[] => {
    const group = groups.get(label)!;
    const others = [...group].filter(([name]) => !shown.has(name)).flatMap(([, numbers]) => numbers);
    const cells = names.map((name) =>
      measure(name === OTHERS && hasOthers ? others : (group.get(name) ?? [])),
    );
    return [label, ...cells, measure(totals.get(label)!)];
  });
  return { columns: columnsOf(table.columns[choice.rows]!.name, names), rows };
}

/** Names of columns are unique, also where a value is the name of another one. */
function columnsOf(first: string, names: readonly string[]): Column[] {
  const used = new Set<string>();
  return [first, ...names, TOTAL].map((name, at): Column => {
    const unused = used.has(name) ? `${name} (${at})` : name;
    used.add(unused);
    return { name: unused, type: at === 0 ? 'text' : 'number' };
  });
}

/** Returns the numbers of each place, of each row at all, and how many rows of the list each column has. */
function grouped({ columns, rows }: ResultTable, choice: PivotChoice) {
  const groups: Groups = new Map();
  const totals = new Map<string, number[]>();
  const sizes = new Map<string, number>();
  const labels = (cells: readonly Cell[], at: number) => {
    const column = columns[at]!;
    return valuesOf(cells[at]!, column).map((cell) =>
      labelOf(cell, column.type === 'date' ? 'year' : undefined),
    );
  };
  for (const cells of rows) {
    const value = choice.measure === 'count' ? 1 : numberOf(cells[choice.of!] ?? null);
    if (value === undefined) continue;
    const across = labels(cells, choice.columns);
    for (const name of across) sizes.set(name, (sizes.get(name) ?? 0) + 1);
    for (const label of labels(cells, choice.rows)) {
      const group = groups.get(label) ?? new Map<string, number[]>();
      groups.set(label, group);
      for (const name of across) added(group, name, value);
      added(totals, label, value);
    }
  }
  return { groups, totals, sizes };
}

function added(numbers: Map<string, number[]>, label: string, value: number): void {
  const known = numbers.get(label);
  if (known) known.push(value);
  else numbers.set(label, [value]);
}

const collator = new Intl.Collator('en', { numeric: true });

/** Returns labels in the order of years, numbers or letters. */
function inOrder(labels: Iterable<string>): string[] {
  return [...labels].sort((a, b) => collator.compare(a, b));
}
