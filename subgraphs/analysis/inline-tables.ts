import { chmod, copyFile } from 'node:fs/promises';
import { Fault } from '../../schema/fault/fault.ts';
import { isDiskFull } from '../../schema/process/disk-full.ts';
import { diskFull } from './build.ts';
import { loadEngine } from './engine.ts';
import { failedBy, type Failed } from './failed.ts';
import { isGivenUp, pulled, type FromCreator } from './feeds.ts';
import { ParquetTable } from './parquet-tables.ts';
import { makeRows, TableRows } from './rows.ts';
import { compileView } from './views/compile-view.ts';
import { ViewDefinitionError, ViewValueError } from './views/findings.ts';

/** The tables that a request brings with it. All of it is plain data. */
export interface InlineTask {
  /** The database that is made. */
  file: string;
  /** The database of which it is made; undefined: an empty one. */
  copyOf: string | undefined;
  /** ViewDefinitions that are not checked yet. The resources of each are the feed of its name. */
  tables: readonly { name: string; definition: unknown }[];
}

/** Rows of all tables of a request, and their size. */
const MOST = { rows: 5_000_000, size: 2 ** 30 };
/** Size of rows that are written at once. More is one row of very many values. */
const MOST_TOGETHER = 2 ** 26;
/** Memory of the engine. */
const MEMORY = '256MB';

/** Makes the tables of a request, in a thread: nobody has checked how much its views do. It never throws. */
export async function makeInline(task: InlineTask & FromCreator): Promise<Failed | undefined> {
  try {
    await made(task);
    return undefined;
  } catch (error) {
    return failedBy(toldOf(error));
  } finally {
    task.feeds.close();
  }
}

async function made(task: InlineTask & FromCreator): Promise<void> {
  const { file, copyOf, feeds } = task;
  const views = task.tables.map(({ name, definition }) => ({ name, view: compileView(definition) }));
  const duckdb = await loadEngine();
  if (copyOf !== undefined) await copyFile(copyOf, file);
  const instance = await duckdb.DuckDBInstance.create(file, { threads: '1', memory_limit: MEMORY });
  try {
    await chmod(file, 0o600);
    const connection = await instance.connect();
    const left = { ...MOST };
    for (const { name, view } of views) {
      const table = new ParquetTable({ duckdb, connection, folder: `${file}.rows` }, name, view.columns);
      await table.open();
      const rows = new TableRows(view.columns, (batch) => {
        if (isGivenUp(task)) throw new Error('The tables were given up.');
        if ((left.rows -= batch.rows) < 0) throw tooManyRows();
        if ((left.size -= batch.size) < 0 || batch.size > MOST_TOGETHER) throw tooCostly('memory');
        table.append(batch);
      });
      await makeRows(each(pulled(feeds, name)), [{ view, rows }]);
      table.keep();
    }
    connection.closeSync();
  } finally {
    instance.closeSync();
  }
}

async function* each(batches: AsyncIterable<readonly unknown[]>): AsyncGenerator<unknown> {
  for await (const batch of batches) yield* batch;
}

/** Returns what the caller is told: the views are the caller's own. */
function toldOf(error: unknown): unknown {
  if (error instanceof ViewDefinitionError || error instanceof ViewValueError)
    return new Fault('unprocessable', error.message, { cause: error });
  if (isDiskFull(error)) return diskFull(error);
  const isMemory = error instanceof RangeError || /^Out of Memory/.test(String((error as Error).message));
  return isMemory ? tooCostly('memory', error) : error;
}

/** Returns the refusal of views that need too much. */
export function tooCostly(what: 'time' | 'memory', cause?: unknown): Fault {
  const message = `The views of the request need more ${what} than they may have. Make fewer or shorter values, or name patients.`;
  return new Fault('unprocessable', message, { cause });
}

function tooManyRows(): Fault {
  const most = MOST.rows.toLocaleString('en');
  const message = `The views of a request may have ${most} rows. Make fewer of each resource, or name patients.`;
  return new Fault('unprocessable', message);
}
