import { CONVERSIONS, type ColumnValue, type TableColumn } from './views/column-types.ts';
import { ViewValueError } from './views/findings.ts';
import { listOf, type Values } from './views/values.ts';
import type { CompiledView } from './views/view-steps.ts';

/** Rows that are written at once: a vector of DuckDB. */
const ROWS_TOGETHER = 2048;
/** Size of rows that are written before there are so many: the engine has a copy of each value. */
const SIZE_TOGETHER = 2 ** 24;

/** Some rows of one table, column by column. */
export interface Batch {
  columns: ColumnValue[][];
  rows: number;
  /** Characters of texts; each other value counts as one. */
  size: number;
}

/** Takes the rows of a table. The columns are the caller's again after the call. */
export type WriteBatch = (batch: Batch) => void;

type Convert = (value: Values) => ColumnValue | undefined;

/** Gathers the rows of one table in typed columns, and writes them many at a time. */
export class TableRows {
  readonly #write: WriteBatch;
  readonly #converters: readonly Convert[];
  readonly #columns: readonly TableColumn[];
  readonly #batch: Batch;

  constructor(columns: readonly TableColumn[], write: WriteBatch) {
    this.#write = write;
    this.#columns = columns;
    this.#converters = columns.map(converterOf);
    this.#batch = { columns: columns.map(() => []), rows: 0, size: 0 };
  }

  /** Adds a row of values as FHIR JSON has them. @throws ViewValueError for one that its column cannot have */
  add(row: readonly Values[]): void {
    const { columns, rows } = this.#batch;
    for (let index = 0; index < columns.length; index++) {
      const value = row[index];
      const converted = value === undefined || value === null ? null : this.#converters[index]!(value);
      if (converted === undefined) throw notOfType(this.#columns[index]!);
      columns[index]![rows] = converted;
      this.#batch.size += sizeOf(converted);
    }
    if (++this.#batch.rows === ROWS_TOGETHER || this.#batch.size > SIZE_TOGETHER) this.flush();
  }

  /** Writes the rows that are left. */
  flush(): void {
    const { rows, columns } = this.#batch;
    if (rows === 0) return;
    for (const values of columns) values.length = rows;
    this.#write(this.#batch);
    this.#batch.rows = this.#batch.size = 0;
  }
}

function sizeOf(value: ColumnValue): number {
  if (typeof value === 'string') return value.length;
  return Array.isArray(value) ? value.reduce<number>((sum, one) => sum + sizeOf(one as ColumnValue), 1) : 1;
}

function converterOf({ sqlType, collection }: TableColumn): Convert {
  const convert = CONVERSIONS[sqlType];
  if (!collection) return convert;
  return (values) => {
    const list = listOf(values).map(convert);
    return list.includes(undefined) ? undefined : (list as ColumnValue[]);
  };
}

function notOfType(column: TableColumn & { path?: string }): ViewValueError {
  const { path = column.name, sqlType } = column;
  return new ViewValueError(path, `A value is no ${sqlType}.`);
}

/** A view, and the place for its rows. */
export interface RowsOfView {
  view: CompiledView;
  rows: TableRows;
  /** Of a table: errors name it, and the resource. */
  table?: string;
  /** True when each row has one more column at its end: the id of its resource. */
  addsId?: boolean;
}

/** Returns a function that makes the rows of all views of a resource. @throws ViewValueError for one that a view cannot take */
export function rowMaker(views: readonly RowsOfView[]): (resource: unknown) => void {
  let id: Values;
  const sinks = views.map(({ view, rows, table, addsId }) => {
    const sink = addsId
      ? (row: readonly Values[]) => rows.add([...row, id])
      : (row: readonly Values[]) => rows.add(row);
    return { view, table, sink };
  });
  return (resource) => {
    ({ id } = resource as { id?: string });
    for (const { view, table, sink } of sinks) {
      try {
        view.rows(resource, sink);
      } catch (error) {
        if (table === undefined || !(error instanceof ViewValueError)) throw error;
        throw new ViewValueError(`${table} of ${view.resource}/${String(id)}`, error.message);
      }
    }
  };
}

/**
 * Makes the rows of a stream of resources.
 * @param resources FHIR JSON, parsed or not
 * @returns number of resources
 */
export async function makeRows(
  resources: AsyncIterable<unknown> | Iterable<unknown>,
  views: readonly RowsOfView[],
): Promise<number> {
  const make = rowMaker(views);
  let count = 0;
  for await (const resource of resources) {
    make(typeof resource === 'string' ? JSON.parse(resource) : resource);
    count++;
  }
  for (const { rows } of views) rows.flush();
  return count;
}
