import { DuckDBInstance } from '@duckdb/node-api';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import type { Fault } from '../../../schema/fault/fault.ts';
import { SqlQueries, type SqlAnswer, type SqlLimits, type SqlRequest } from '../sql/queries.ts';

/** A text that no caller may see: it is in `secret`, in the file of another caller, and in a file of its own. */
export const CANARY = 'canary-7f3a9c';

/** Tables of the caller, with rows that are easy to tell. */
const ROWS = [
  'CREATE TABLE patient (id VARCHAR, gender VARCHAR, birth DATE)',
  "INSERT INTO patient VALUES ('p1', 'female', '1970-01-02'), ('p2', 'male', '1980-03-04'), ('p3', 'female', NULL)",
  'CREATE TABLE observation (id VARCHAR, patient_id VARCHAR, code VARCHAR, effective TIMESTAMP, value DOUBLE)',
  `INSERT INTO observation VALUES ('o1', 'p1', '4548-4', '2025-12-26 11:00:00', 9.89),
    ('o2', 'p1', '4548-4', '2024-01-01 00:00:00.5', 7.5), ('o3', 'p2', '8480-6', NULL, 120)`,
  'CREATE TABLE secret (canary VARCHAR)',
  `INSERT INTO secret VALUES ('${CANARY}')`,
];

/** Writes a DuckDB file. */
export async function writeReach(file: string, statements: readonly string[] = ROWS): Promise<void> {
  const instance = await DuckDBInstance.create(file);
  const connection = await instance.connect();
  for (const statement of statements) await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
}

type Others = Partial<SqlRequest & { client: string }>;

export interface Asking {
  folder: string;
  reach: string;
  queries: SqlQueries;
  /** Asks in a turn of its own, with defaults for all but the statement. */
  ask(sql: string, others?: Others, signal?: AbortSignal): Promise<SqlAnswer>;
  /** Asks, and reads the whole answer as a text. */
  read(sql: string, others?: Others): Promise<string>;
  close(): Promise<void>;
}

/** Starts queries over a new reach. */
export async function startAsking(limits: Partial<SqlLimits> = {}, statements = ROWS): Promise<Asking> {
  const folder = mkdtempSync(join(tmpdir(), 'analysis-'));
  const reach = join(folder, 'reach.duckdb');
  await writeReach(reach, statements);
  const queries = new SqlQueries(folder, limits);
  const ask: Asking['ask'] = (sql, { client = 'app', ...others } = {}, signal) =>
    queries.inTurn(client, () =>
      queries.answer(
        {
          reach,
          sql,
          tables: ['patient', 'observation'],
          parameters: {},
          format: 'ndjson',
          header: true,
          ...others,
        },
        signal,
      ),
    );
  return {
    folder,
    reach,
    queries,
    ask,
    read: async (sql, others) => text((await ask(sql, others)).body),
    async close() {
      await queries.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Returns the fault of a query that must be refused. */
export const refusal = async (answer: Promise<unknown>): Promise<Partial<Fault>> => {
  const { code, message, status } = await answer.then(
    () => expect.fail('It was answered.'),
    (error: unknown) => error as Fault,
  );
  return { code, message, status };
};
