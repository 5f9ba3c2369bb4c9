/** All rows of a list as one file. There is no file of a list that did not come to its end: a part must not pass for all. */
import type { Answer, Asked, GraphqlAnswer } from '../answer.ts';
import { csvOf, ndjsonOf } from './formats.ts';
import { tableOf, type Cell, type Data, type ResultList, type ResultTable } from './lists.ts';
import { isStreamed, nextPage, pageQuery, takeNext } from './paged.ts';
import { sizeText } from './size-text.ts';

/** Formats that are written row by row. */
type TextFormat = 'csv' | 'ndjson';
/** Parquet is of SQL only: the rows of a connection are streamed as texts. */
export type RowFormat = TextFormat | 'parquet';

/** The media type of each format, as it is asked for and as files have it. */
export const ROW_TYPES: Readonly<Record<RowFormat, string>> = {
  csv: 'text/csv',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
};

export interface Saving {
  format: RowFormat;
  /** Ends the reading: the person needs no file. */
  signal: AbortSignal;
  /** Told how much has come: bytes where rows cannot be counted. */
  onread: (read: Read) => void;
}

export type Read = { rows: number } | { bytes: number };

/** Reads all rows of a list as a file. @throws Error with words for the person */
export type ReadRows = (of: { answer: Answer; list: ResultList }, saving: Saving) => Promise<Blob>;

/** A reader of rows, with the token of the page. */
export interface RowReader {
  /** Asks for the rows of a query as a stream. @throws Error with words for the person */
  stream(asked: Asked, type: string, signal: AbortSignal): Promise<Response>;
  /** Asks for one page: a query, or an address of a Bundle. @throws Error with words for the person */
  page(asked: Asked | string, signal: AbortSignal): Promise<GraphqlAnswer | undefined>;
}

/**
 * Reads all rows of a list, from the page of the answer on: as a stream, where the server sends one, else page by page.
 * @throws Error that says why there is no file
 */
export async function readAllRows(
  reader: RowReader,
  { answer, list }: { answer: Answer; list: ResultList },
  saving: Saving,
): Promise<Blob> {
  const { format } = saving;
  if (format === 'parquet') throw new Error('Rows of GraphQL are saved as CSV or NDJSON.');
  const type = ROW_TYPES[format];
  if (isStreamed(answer.asked))
    return savedStream(await reader.stream(answer.asked, type, saving.signal), saving);
  const table = joined(await pagesOf(reader, { answer, list }, saving));
  return new Blob([format === 'csv' ? csvOf(table) : ndjsonOf(table)], { type });
}

/**
 * Reads a stream of rows into a file, which the browser keeps where it has room.
 * @throws Error that says how far it came, if it did not come to its end
 */
export async function savedStream(response: Response, { format, signal, onread }: Saving): Promise<Blob> {
  const countOf = format === 'parquet' ? byteCounter() : rowCounter(format);
  let read: Read = countOf(new Uint8Array());
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      read = countOf(chunk);
      onread(read);
      controller.enqueue(chunk);
    },
  });
  try {
    const headers = { 'content-type': ROW_TYPES[format] };
    const file = await new Response(response.body?.pipeThrough(counted, { signal }), { headers }).blob();
    if (format !== 'parquet' || (await file.slice(-MAGIC.length).text()) === MAGIC) return file;
  } catch {
    // It is said below.
  }
  throw new Error(unfinished(read));
}

/** The end of a file of Parquet: it is read from there. */
const MAGIC = 'PAR1';

/** Says that a list did not come to its end. */
function unfinished(read: Read): string {
  const after = 'rows' in read ? read.rows.toLocaleString('en') : sizeText(read.bytes);
  return `The rows broke off after ${after}. Nothing was saved: save them again.`;
}

function byteCounter(): (part: Uint8Array) => Read {
  let bytes = 0;
  return (part) => ({ bytes: (bytes += part.length) });
}

/** Returns a function that is given a text in parts, and returns the number of its rows so far. */
export function rowCounter(format: TextFormat): (part: Uint8Array) => { rows: number } {
  // CSV has a line of names, and line breaks within quotes. Those within JSON are escaped.
  let count = format === 'csv' ? -1 : 0;
  let isQuoted = false;
  return (part) => {
    for (const byte of part) {
      if (byte === 0x22) isQuoted = format === 'csv' && !isQuoted;
      else if (byte === 0x0a && !isQuoted) count++;
    }
    return { rows: Math.max(count, 0) };
  };
}

/** Reads the pages of a list, each as a table. */
async function pagesOf(
  reader: RowReader,
  { answer, list }: { answer: Answer; list: ResultList },
  { signal, onread }: Saving,
): Promise<ResultTable[]> {
  const tables: ResultTable[] = [];
  const seen = new Set<string>();
  let rows = 0;
  const isGraph = pageQuery(answer.asked, list) !== undefined;
  let asked = isGraph ? pageQuery(answer.asked, list) : answer.asked.query.replace(/^GET /, '');
  while (asked !== undefined) {
    const json = await reader.page(asked, signal).catch((error: unknown) => {
      throw rows === 0 ? error : new Error(`${(error as Error).message} ${unfinished({ rows })}`);
    });
    const [error] = json?.errors ?? [];
    if (!json || error) throw new Error(`${error?.message ?? 'A page is no JSON.'} ${unfinished({ rows })}`);
    const next = isGraph ? takeNext(json.data, list) : nextPage({ json }, list);
    const table = tableOf(json.data as Data, list);
    tables.push(table);
    onread({ rows: (rows += table.rows.length) });
    // A server that gives a page twice would never end.
    if (next !== undefined && seen.has(next)) throw new Error(unfinished({ rows }));
    if (next !== undefined) seen.add(next);
    asked = isGraph && next !== undefined ? pageQuery(answer.asked, list, next) : next;
  }
  return tables;
}

/** Returns the rows of all pages under the columns of all: one has none for what no row of it has. */
function joined(tables: readonly ResultTable[]): ResultTable {
  const columns = new Map(
    tables.flatMap((table) => table.columns.map((column) => [column.name, column] as const)),
  );
  const names = [...columns.keys()];
  const rows = tables.flatMap((table) => {
    const places = names.map((name) => table.columns.findIndex((column) => column.name === name));
    return table.rows.map((cells) => places.map((at): Cell => cells[at] ?? null));
  });
  return { columns: [...columns.values()], rows };
}
