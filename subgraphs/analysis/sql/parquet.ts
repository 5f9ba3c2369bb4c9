import { DuckDBInstance, DuckDBTypeId } from '@duckdb/node-api';
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isOfRoom } from './engine-error.ts';
import { QueryError, SENTENCES } from './finding.ts';
import { distinctNames, type Column, type Output, type Rows } from './formats.ts';
import type { ProcessSettings } from './query.ts';

/** Megabytes of memory for rows on their way into a file: the rest is put aside on the disk. */
const MEMORY = 128;

/**
 * Writes rows as one Parquet file (Snappy). The engine of the query may write no file, so that a second one does, which never
 * sees the caller's statement: it takes the rows as they are in memory.
 */
export async function writeParquet(
  columns: readonly Column[],
  rows: AsyncIterable<Rows>,
  { scratch, memory }: ProcessSettings,
  output: Output,
): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: `${MEMORY}MB`,
    temp_directory: scratch,
    max_temp_directory_size: `${memory.temporary}MB`,
  });
  const file = join(scratch, `${randomUUID()}.parquet`);
  try {
    const connection = await instance.connect();
    // The engine compares names without case.
    const names = distinctNames(
      columns.map(({ name }) => name),
      (name) => name.toLowerCase(),
    ).map((name) => `"${name.replaceAll('"', '""')}"`);
    const table = columns.map(({ type }, at) => `${names[at]!} ${String(type)}`);
    await connection.run(`CREATE TABLE answer (${table.join(', ')})`);
    const appender = await connection.createAppender('answer');
    let count = 0;
    for await (const one of rows) {
      appender.appendDataChunk(one.chunk);
      count += one.count;
    }
    appender.closeSync();
    // Of the sums of whole numbers, for which Parquet has no type, the engine would write the nearest DOUBLE.
    const selected = columns.map(({ type: { typeId } }, at) =>
      typeId === DuckDBTypeId.HUGEINT ? `${names[at]!}::BIGINT AS ${names[at]!}` : names[at]!,
    );
    const target = `'${file.replaceAll("'", "''")}' (FORMAT parquet, COMPRESSION snappy)`;
    await connection
      .run(`COPY (SELECT ${selected.join(', ')} FROM answer LIMIT ${count}) TO ${target}`)
      .catch((error: unknown) => {
        throw isOfRoom(error) ? error : new QueryError('statement', SENTENCES.parquet);
      });
    for await (const piece of createReadStream(file)) await output.write(piece as Uint8Array, count);
  } finally {
    instance.closeSync();
    await rm(file, { force: true });
  }
}
