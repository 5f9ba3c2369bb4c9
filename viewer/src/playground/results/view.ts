/** The rows that are shown: sorted by a column, and those that have a text. */
import {
  columnFilteringFeature,
  constructFilterFn,
  constructSortFn,
  constructTable,
  createFilteredRowModel,
  createSortedRowModel,
  globalFilteringFeature,
  rowSortingFeature,
  tableFeatures,
} from '@tanstack/table-core';
import { storeReactivityBindings } from '@tanstack/table-core/store-reactivity-bindings';
import {
  momentOf,
  numberOf,
  textOf,
  type Cell,
  type Column,
  type ColumnType,
  type ResultTable,
} from './lists.ts';

export interface Sorting {
  /** Index of the column. */
  column: number;
  descending: boolean;
}

export type ResultRow = readonly Cell[];
export type RowsOf = (shown: { sorting: Sorting | undefined; filter: string }) => readonly ResultRow[];

const collator = new Intl.Collator('en', { numeric: true });
/** Cells of one type, of which none is null. */
const COMPARE: Readonly<Record<ColumnType, (a: never, b: never) => number>> = {
  number: (a: Cell, b: Cell) => numberOf(a)! - numberOf(b)! || byDigits(textOf(a), textOf(b)),
  'yes/no': (a: boolean, b: boolean) => Number(a) - Number(b),
  date: (a: string, b: string) => momentOf(a) - momentOf(b),
  text: (a: Cell, b: Cell) => collator.compare(textOf(a), textOf(b)),
};

/** Compares numbers that are equal for JavaScript: integers have more digits. */
function byDigits(a: string, b: string): number {
  if (a === b || !/^-?\d+$/.test(a) || !/^-?\d+$/.test(b)) return 0;
  return BigInt(a) < BigInt(b) ? -1 : 1;
}

/** Returns a function that gives the rows of a table; cells without a value are last in both directions. */
export function viewOf({ columns, rows }: ResultTable): RowsOf {
  const features = tableFeatures({
    coreReactivityFeature: storeReactivityBindings(),
    columnFilteringFeature,
    globalFilteringFeature,
    rowSortingFeature,
    filteredRowModel: createFilteredRowModel(),
    sortedRowModel: createSortedRowModel(),
  });
  const table = constructTable({
    features,
    data: rows as Cell[][],
    columns: columns.map(({ type }, at) => ({
      id: String(at),
      // What is undefined can be last; null cannot.
      accessorFn: (row: ResultRow) => row[at] ?? undefined,
      sortUndefined: 'last' as const,
      sortFn: constructSortFn({ sort: COMPARE[type] as (a: unknown, b: unknown) => number }),
    })),
    globalFilterFn: constructFilterFn({
      filter: (cell: Cell | undefined, text: string) =>
        textOf(cell ?? null)
          .toLowerCase()
          .includes(text),
    }),
    getColumnCanGlobalFilter: () => true,
  });
  return ({ sorting, filter }) => {
    table.setSorting(sorting ? [{ id: String(sorting.column), desc: sorting.descending }] : []);
    table.setGlobalFilter(filter.trim().toLowerCase() || undefined);
    return table.getRowModel().rows.map(({ original }) => original);
  };
}

/** Returns the order after a press on a column's name: up, down, as it came. */
export function nextSorting(sorting: Sorting | undefined, column: number): Sorting | undefined {
  if (sorting?.column !== column) return { column, descending: false };
  return sorting.descending ? undefined : { column, descending: true };
}

/** Characters beyond which a column is cut on the screen. */
const WIDEST = 40;

/** Returns widths of columns in characters, by their names and the first rows. */
export function widthsOf(columns: readonly Column[], rows: readonly ResultRow[]): number[] {
  const sample = rows.slice(0, 100);
  return columns.map(({ name }, at) => {
    const lengths = sample.map((cells) => textOf(cells[at] ?? null).length);
    // The name has a mark for the order beside it.
    return Math.min(Math.max(name.length + 3, 6, ...lengths), WIDEST);
  });
}
