import type {
  DuckDBAppender,
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBType,
  DuckDBValue,
} from '@duckdb/node-api';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDb } from './engine.ts';
import type { Batch } from './rows.ts';
import type { ColumnValue, SqlType, TableColumn } from './views/column-types.ts';

/** Rows of one file, a row group of DuckDB: so many are in memory before they are written. */
const ROWS_OF_FILE = 122_880;

/** A file of a table, for the manifest. */
export interface TableFile {
  /** Path below the folder of the dataset. */
  path: string;
  rows: number;
  bytes: number;
}

/** Writes one table to Parquet files, at most some rows of which are in memory. */
export class ParquetTable {
  readonly #duckdb: DuckDb;
  readonly #connection: DuckDBConnection;
  readonly #folder: string;
  readonly #name: string;
  readonly #columns: readonly TableColumn[];
  readonly #types: readonly DuckDBType[];
  readonly #toEngine: readonly ((value: ColumnValue) => DuckDBValue)[];
  readonly #files: TableFile[] = [];
  #appender: DuckDBAppender | undefined;
  #rows = 0;

  /** @param folder of the dataset; the table has a folder of its own in it */
  constructor(
    { duckdb, connection, folder }: { duckdb: DuckDb; connection: DuckDBConnection; folder: string },
    name: string,
    columns: readonly TableColumn[],
  ) {
    this.#duckdb = duckdb;
    this.#connection = connection;
    this.#folder = folder;
    this.#name = name;
    this.#columns = columns;
    this.#types = columns.map((column) => engineType(duckdb, column));
    this.#toEngine = columns.map((column) => engineValue(duckdb, column));
  }

  /** Creates the table. Must be called first. */
  async open(): Promise<void> {
    const columns = this.#columns.map((column) => `${quoted(column.name)} ${sqlTypeText(column)}`);
    await mkdir(join(this.#folder, this.#name), { recursive: true, mode: 0o700 });
    await this.#connection.run(`CREATE OR REPLACE TABLE ${quoted(this.#name)} (${columns.join(', ')})`);
    this.#appender = await this.#connection.createAppender(this.#name);
    this.#rows = 0;
  }

  /** Adds rows to those in memory. */
  append({ columns, rows }: Batch): void {
    const chunk = this.#duckdb.DuckDBDataChunk.create(this.#types, rows);
    for (let at = 0; at < columns.length; at++) setColumn(chunk, at, columns[at]!, this.#toEngine[at]!);
    this.#appender!.appendDataChunk(chunk);
    this.#rows += rows;
  }

  /** Tells whether `write` is due. */
  get isFull(): boolean {
    return this.#rows >= ROWS_OF_FILE;
  }

  /** Writes the rows in memory to the next file. */
  async write(): Promise<void> {
    this.#appender!.closeSync();
    const path = `${this.#name}/part-${this.#files.length}.parquet`;
    const file = join(this.#folder, path).replaceAll("'", "''");
    // hyparquet reads Snappy only.
    await this.#connection.run(
      `COPY ${quoted(this.#name)} TO '${file}' (FORMAT parquet, COMPRESSION snappy)`,
    );
    const { size } = await stat(join(this.#folder, path));
    this.#files.push({ path, rows: this.#rows, bytes: size });
    await this.open();
  }

  /** Ends the table, whose rows stay in the database. */
  keep(): void {
    this.#appender!.closeSync();
  }

  /** Writes what is left. @returns the files: one at least, which may be without rows */
  async finish(): Promise<readonly TableFile[]> {
    if (this.#rows > 0 || this.#files.length === 0) await this.write();
    this.#appender!.closeSync();
    await this.#connection.run(`DROP TABLE ${quoted(this.#name)}`);
    return this.#files;
  }
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Returns the type of a column in SQL. */
export const sqlTypeText = ({ sqlType, collection }: TableColumn): string =>
  sqlType + (collection ? '[]' : '');

function engineType(duckdb: DuckDb, { sqlType, collection }: TableColumn): DuckDBType {
  const types: Record<SqlType, DuckDBType> = {
    VARCHAR: duckdb.VARCHAR,
    BOOLEAN: duckdb.BOOLEAN,
    INTEGER: duckdb.INTEGER,
    BIGINT: duckdb.BIGINT,
    DOUBLE: duckdb.DOUBLE,
    DATE: duckdb.DATE,
    TIMESTAMP: duckdb.TIMESTAMP,
  };
  return collection ? duckdb.LIST(types[sqlType]) : types[sqlType];
}

function engineValue(
  duckdb: DuckDb,
  { sqlType, collection }: TableColumn,
): (value: ColumnValue) => DuckDBValue {
  const one = (value: ColumnValue): DuckDBValue => {
    if (value === null) return null;
    if (sqlType === 'DATE') return new duckdb.DuckDBDateValue(value as number);
    if (sqlType === 'TIMESTAMP') return new duckdb.DuckDBTimestampValue(value as bigint);
    return value as DuckDBValue;
  };
  if (!collection) return one;
  return (values) =>
    values === null ? null : new duckdb.DuckDBListValue((values as ColumnValue[]).map(one));
}

function setColumn(
  chunk: DuckDBDataChunk,
  at: number,
  values: readonly ColumnValue[],
  toEngine: (value: ColumnValue) => DuckDBValue,
): void {
  const vector = chunk.getColumnVector(at);
  for (let row = 0; row < values.length; row++) vector.setItem(row, toEngine(values[row]!));
  vector.flush();
}
