/** Formats of an answer, by their name in `_format`. */
export const SQL_FORMATS = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8',
  json: 'application/json',
  parquet: 'application/vnd.apache.parquet',
} as const;
export type SqlFormat = keyof typeof SQL_FORMATS;

/** Types of parameters: those of FHIR that SQL can compare. All kinds of texts (code, id, uri) are `string`. */
export type ParameterType = 'string' | 'boolean' | 'integer' | 'decimal' | 'date' | 'dateTime';

/** A value for a parameter. A text is read by the type, so that a URL can give any. */
export interface SqlParameter {
  type: ParameterType;
  value: string | number | boolean;
}

/** A name that a statement has for a table of the reach, or for the rows of another statement. */
export type NamedView = { name: string } & ({ table: string } | { sql: string });

/** A question to the rows of one reach. */
export interface SqlQuestion {
  /** One SELECT; parameters are written `:name`. */
  sql: string;
  /** Names of the tables that the caller may ask. */
  tables: readonly string[];
  /** Other names of tables, for this question alone. Each may use those before it. */
  views?: readonly NamedView[];
  /** Tables that there are and that the caller may not ask, with what is then said. */
  closed?: Readonly<Record<string, string>>;
  parameters: Readonly<Record<string, SqlParameter>>;
  format: SqlFormat;
  /** Whether CSV begins with the names of the columns. */
  header: boolean;
  /** Rows after which the answer ends. */
  limit?: number | undefined;
}

/** The beginning of an answer. */
export interface SqlHead {
  /** Tables that the statement reads, for the audit. */
  tables: string[];
  /** Names of the columns. */
  columns: string[];
}

/** Settings of the process of a query. */
export interface ProcessSettings {
  /** The DuckDB file with the rows of one caller. */
  reach: string;
  /** A folder of this process alone, for what queries put aside. */
  scratch: string;
  /** Megabytes: memory of the engine, of the process, of temporary files. */
  memory: { engine: number; process: number; temporary: number };
  threads: number;
}
