import { DuckDBInstance } from '@duckdb/node-api';
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isOfRoom } from './engine-error.ts';
import { QueryError, SENTENCES } from './finding.ts';
import type { Column, Output, Rows } from './formats.ts';
import type { ProcessSettings } from './query.ts';

/** Megabytes of memory for rows on their way into a file: the rest is put aside on the disk. */
const MEMORY = 128;

/**
 * Writes rows as one Parquet file (Snappy). The engine of the query may write no file, so that a second one does, which never
 * sees the caller's statement: it takes the rows as they are in memory.
 * @returns the number of rows
 */
export async function writeParquet(
  columns: readonly Column[],
  rows: AsyncIterable<Rows>,
  { scratch, memory }: ProcessSettings,
  output: Output,
): Promise<number> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: `${MEMORY}MB`,
    temp_directory: scratch,
    max_temp_directory_size: `${memory.temporary}MB`,
  });
  const file = join(scratch, `${randomUUID()}.parquet`);
  try {
    const connection = await instance.connect();
    const table = columns.map(({ name, type }) => `"${name.replaceAll('"', '""')}" ${String(type)}`);
    await connection.run(`CREATE TABLE answer (${table.join(', ')})`);
    const appender = await connection.createAppender('answer');
    let count = 0;
    for await (const one of rows) {
      appender.appendDataChunk(one.chunk);
      count += one.count;
    }
    appender.closeSync();
    const target = `'${file.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION snappy)`;
    await connection
      .run(`COPY (SELECT * FROM answer LIMIT ${count}) TO ${target}`)
      .catch((error: unknown) => {
        throw isOfRoom(error) ? error : new QueryError('statement', SENTENCES.parquet);
      });
    for await (const piece of createReadStream(file)) await output.write(piece as Uint8Array);
    return count;
  } finally {
    instance.closeSync();
    await rm(file, { force: true });
  }
}
