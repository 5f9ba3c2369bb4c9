import { CONVERSIONS, type ColumnValue, type TableColumn } from './views/column-types.ts';
import { ViewValueError } from './views/findings.ts';
import { listOf, type Values } from './views/values.ts';
import type { CompiledView, Refuse } from './views/view-steps.ts';

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

  /**
   * Adds a row of values as FHIR JSON has them.
   * @param refused is told of each value that its column cannot have, which is then null
   * @throws ViewValueError for such a value, where there is no `refused`
   */
  add(row: readonly Values[], refused?: Refuse): void {
    const { columns, rows } = this.#batch;
    for (let index = 0; index < columns.length; index++) {
      const value = row[index];
      const converted = value === undefined || value === null ? null : this.#converters[index]!(value);
      if (converted === undefined) {
        const column = this.#columns[index]!;
        if (!refused) throw new ViewValueError(placeOf(column), `A value is no ${column.sqlType}.`);
        refused(placeOf(column));
      }
      columns[index]![rows] = converted ?? null;
      this.#batch.size += sizeOf(converted ?? null);
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

/** Returns the place of a column in its view; its name, if no view makes it. */
const placeOf = ({ name, path = name }: TableColumn & { path?: string }): string => path;

/** Values that damaged resources have, and a table cannot. */
export interface Refused {
  values: number;
  /** The resource of the first one, such as `Observation/1`, and its place in the view. */
  first: string | undefined;
  at: string | undefined;
}

/** A view, and the place for its rows. */
export interface RowsOfView {
  view: CompiledView;
  rows: TableRows;
  /** Counts the values that the view cannot take, which are then null or left out; without it, they are errors. */
  refused?: Refused;
  /** True when each row has one more column at its end: the id of its resource. */
  addsId?: boolean;
}

/** Returns a function that makes the rows of all views of a resource. @throws ViewValueError for one that a view cannot take */
export function rowMaker(views: readonly RowsOfView[]): (resource: unknown) => void {
  let id: Values;
  const makers = views.map(({ view, rows, refused, addsId }) => {
    const name = (): string => `${view.resource}/${String(id)}`;
    const refuse =
      refused &&
      ((at: string): void => {
        if (refused.values++ === 0) Object.assign(refused, { first: name(), at });
      });
    const sink = addsId
      ? (row: readonly Values[]) => rows.add([...row, id], refuse)
      : (row: readonly Values[]) => rows.add(row, refuse);
    return { view, name, sink, refuse };
  });
  return (resource) => {
    ({ id } = resource as { id?: string });
    for (const { view, name, sink, refuse } of makers) {
      try {
        view.rows(resource, sink, refuse);
      } catch (error) {
        throw error instanceof ViewValueError ? new ViewValueError(name(), error.message) : error;
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
