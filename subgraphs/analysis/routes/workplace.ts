import { randomUUID } from 'node:crypto';
import { chmod, copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Access } from '../../../schema/access/access.ts';
import { missingScopes, scopesMissing } from '../../../schema/access/scopes.ts';
import { Semaphore } from '../../../schema/concurrency/semaphore.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { loadEngine, type DuckDb } from '../engine.ts';
import { ParquetTable } from '../parquet-tables.ts';
import { makeRows, TableRows } from '../rows.ts';
import { ViewValueError } from '../views/findings.ts';
import type { Reach } from '../analysis.ts';
import type { Catalogue } from './catalogue.ts';
import type { InlineTable, Question } from './question.ts';

/** Resources of which a request may have its own tables made. */
const MOST_RESOURCES = 50_000;
/** Requests whose own tables are made at one time. */
const AT_ONCE = 2;

export interface Caller {
  tenant: Tenant;
  access: Access;
  signal: AbortSignal;
}

/** A database with the rows that a question may read, until it is given back. */
export interface OpenedTables {
  file: string;
  /** Names of those that a statement may ask. */
  tables: readonly string[];
  /** Time of the rows. */
  time: Date;
  /** Names tables for the audit: one that a request brings is what it is made of. */
  named(tables: readonly string[]): string[];
  release(): void;
}

export interface WorkplaceOptions {
  /** Returns a folder for databases of requests. */
  folder: string;
  /** Returns the rows of a caller. @throws Fault as `Analysis.reach` */
  reach(caller: Caller): Promise<Reach>;
  /** Gives all that a search by the caller's token finds, page by page. @throws Fault as that search */
  search(caller: Caller, type: string): AsyncIterable<readonly unknown[]>;
  /** Ends what has a database open. */
  forget(file: string): void;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Opens the tables of questions: the caller's rows, and those that a request has made for itself. */
export class Workplace {
  readonly #options: WorkplaceOptions;
  readonly #making = new Semaphore(AT_ONCE);

  constructor(options: WorkplaceOptions) {
    this.#options = options;
  }

  /**
   * Opens the tables of a question.
   * @throws Fault as `Analysis.reach`; `insufficient_scope` for a table that the token may not search; `unprocessable` for
   *   too many resources, and for one that a view cannot take
   */
  async open(caller: Caller, question: Question, catalogue: Catalogue): Promise<OpenedTables> {
    const { inline, views, isOpen } = question;
    const own = new Set(inline.map(({ name }) => name));
    const needed = views.flatMap((view) => ('table' in view && !own.has(view.table) ? [view.table] : []));
    const isReached = isOpen || needed.length > 0;
    const reach = isReached ? await this.#options.reach(caller) : undefined;
    try {
      const closed = needed.find((name) => !reach!.tables.includes(name));
      if (closed !== undefined)
        throw tableClosed(caller.access, { name: closed, type: catalogue.types.get(closed)! });
      if (reach && inline.length === 0)
        return { ...reach, named: (tables) => [...tables], release: () => reach.release() };
      const file = await this.#made(caller, inline, reach);
      const types = new Map(inline.map(({ name, view }) => [name, view.resource]));
      return {
        file,
        tables: [...(reach?.tables ?? []), ...own],
        time: reach?.time ?? new Date(this.#options.now()),
        named: (tables) => tables.map((name) => types.get(name) ?? name),
        release: () => {
          this.#options.forget(file);
          reach?.release();
          void removed(file);
        },
      };
    } catch (error) {
      reach?.release();
      throw error;
    }
  }

  /** Makes a database: the caller's rows, if any are needed, and the tables of the request. */
  async #made(caller: Caller, inline: readonly InlineTable[], reach: Reach | undefined): Promise<string> {
    const duckdb = await loadEngine();
    const done = await this.#making.acquire(caller.signal);
    const file = join(this.#options.folder, `inline-${randomUUID()}.duckdb`);
    try {
      if (reach) await copyFile(reach.file, file);
      await this.#write(caller, inline, { duckdb, file });
      return file;
    } catch (error) {
      await removed(file);
      if (!(error instanceof ViewValueError)) throw error;
      throw new Fault('unprocessable', error.message, { cause: error });
    } finally {
      done();
    }
  }

  async #write(
    caller: Caller,
    inline: readonly InlineTable[],
    { duckdb, file }: { duckdb: DuckDb; file: string },
  ): Promise<void> {
    const settings = { threads: '1', memory_limit: '256MB' };
    const instance = await duckdb.DuckDBInstance.create(file, settings);
    try {
      await chmod(file, 0o600);
      const connection = await instance.connect();
      const left = { resources: MOST_RESOURCES };
      for (const { name, view } of inline) {
        const table = new ParquetTable({ duckdb, connection, folder: `${file}.rows` }, name, view.columns);
        await table.open();
        const rows = new TableRows(view.columns, (batch) => table.append(batch));
        await makeRows(limited(this.#options.search(caller, view.resource), left), [{ view, rows }]);
        table.keep();
      }
      connection.closeSync();
    } finally {
      instance.closeSync();
    }
  }
}

/** Gives the resources of pages one by one, as long as there are not too many. */
async function* limited(
  pages: AsyncIterable<readonly unknown[]>,
  left: { resources: number },
): AsyncGenerator<unknown> {
  for await (const page of pages) {
    if ((left.resources -= page.length) < 0) {
      const message = `A view of a request is made of at most ${MOST_RESOURCES} resources. Name patients, or ask the tables that there are.`;
      throw new Fault('unprocessable', message);
    }
    yield* page;
  }
}

/** Returns the refusal of a table: its type has no `s` in the scopes, or that of a type that leads to it has none. */
export function tableClosed(access: Access, { name, type }: { name: string; type: string }): Fault {
  const missing = missingScopes(access, [[{ type, interaction: 's' }]]);
  if (missing.length > 0) return scopesMissing(access, missing);
  return new Fault('insufficient_scope', `The token's scopes do not cover the table ${name}.`);
}

const removed = async (file: string): Promise<void> => {
  for (const path of [file, `${file}.wal`, `${file}.rows`]) await rm(path, { recursive: true, force: true });
};
