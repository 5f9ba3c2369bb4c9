import { Fault } from '../../schema/fault/fault.ts';

/** DuckDB, as its package exports it. */
export type DuckDb = typeof import('@duckdb/node-api');

/**
 * Loads DuckDB when it is first needed: 70 MB of native code, which an installation may leave out.
 * @throws Fault `not_implemented` that says how to get it
 */
export async function loadEngine(
  load: () => Promise<DuckDb> = () => import('@duckdb/node-api'),
): Promise<DuckDb> {
  try {
    return await load();
  } catch (cause) {
    const message =
      'This server has no engine for SQL. Its operator installs the optional package @duckdb/node-api: npm ci without --omit=optional.';
    throw new Fault('not_implemented', message, { cause });
  }
}
