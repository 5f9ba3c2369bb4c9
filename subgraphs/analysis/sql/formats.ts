import type { DuckDBDataChunk, DuckDBType } from '@duckdb/node-api';
import { csvRecord } from '../../../schema/http/csv.ts';
import type { SqlHead } from './query.ts';
import { csvWriter, jsonWriter } from './values.ts';

/** Takes an answer piece by piece. */
export interface Output {
  begin(head: SqlHead): void;
  /** Resolves when there is room for more. @param rows number of all rows so far */
  write(piece: string | Uint8Array, rows: number): Promise<void>;
}

/** Some rows of a result. */
export interface Rows {
  chunk: DuckDBDataChunk;
  /** Rows of the chunk that are wanted. */
  count: number;
}

export interface Column {
  name: string;
  type: DuckDBType;
}

/** Returns the names, of which one that is there already gets a number: `id`, `id:1`. @param keyOf names with one key are the same */
export function distinctNames(names: readonly string[], keyOf = (name: string) => name): string[] {
  const known = new Set<string>();
  return names.map((asked) => {
    let name = asked;
    for (let number = 1; known.has(keyOf(name)); number++) name = `${asked}:${number}`;
    known.add(keyOf(name));
    return name;
  });
}

/** A format of rows that is written row by row. */
interface RowFormat {
  head: string;
  /** Returns the writer of one row of a chunk. @param before rows that are written already */
  rows(chunk: DuckDBDataChunk): (row: number, before: number) => string;
  foot: string;
}

/** Formats of rows, by their name in `_format`. */
export const ROW_FORMATS = {
  ndjson: (columns: readonly Column[]): RowFormat => {
    const line = jsonRows(columns);
    return { head: '', rows: (chunk) => withVectors(chunk, (cells) => `${line(cells)}\n`), foot: '' };
  },
  json: (columns: readonly Column[]): RowFormat => {
    const line = jsonRows(columns);
    return {
      head: '[',
      rows: (chunk) => withVectors(chunk, (cells, before) => `${before === 0 ? '\n' : ',\n'}${line(cells)}`),
      foot: '\n]\n',
    };
  },
  csv: (columns: readonly Column[], header: boolean): RowFormat => {
    const writers = columns.map(({ type }) => csvWriter(type));
    return {
      head: header ? csvRecord(columns.map(({ name }) => name)) : '',
      rows: (chunk) =>
        withVectors(chunk, (cells) => {
          let line = '';
          for (let at = 0; at < writers.length; at++) line += (at === 0 ? '' : ',') + writers[at]!(cells(at));
          // Readers take an empty line for none.
          return `${line || '""'}\r\n`;
        }),
      foot: '',
    };
  },
};

/** Reads the cell of a column. */
type Cells = (column: number) => ReturnType<ReturnType<DuckDBDataChunk['getColumnVector']>['getItem']>;

function jsonRows(columns: readonly Column[]): (cells: Cells) => string {
  const writers = columns.map(({ type }) => jsonWriter(type));
  const keys = columns.map(({ name }, at) => `${at === 0 ? '' : ','}${JSON.stringify(name)}:`);
  return (cells) => {
    let line = '{';
    for (let at = 0; at < writers.length; at++) line += keys[at]! + writers[at]!(cells(at));
    return `${line}}`;
  };
}

function withVectors(chunk: DuckDBDataChunk, write: (cells: Cells, before: number) => string) {
  const vectors = Array.from({ length: chunk.columnCount }, (_, column) => chunk.getColumnVector(column));
  let row = 0;
  const cells: Cells = (column) => vectors[column]!.getItem(row);
  return (at: number, before: number): string => {
    row = at;
    return write(cells, before);
  };
}
