import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Access } from '../../../schema/access/access.ts';
import { missingScopes, requireScope, scopesMissing } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { Reach } from '../analysis.ts';
import { isOfNobody } from '../rights.ts';
import type { AnalysisThreads } from '../threads.ts';
import type { Catalogue } from './catalogue.ts';
import type { InlineTable, Question } from './question.ts';

/** Resources of which a request may have its own tables made. */
const MOST_RESOURCES = 50_000;

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
  /** Ends the turn in which it was opened. */
  endTurn(): void;
  /** Gives it back, and ends the turn. */
  release(): void;
}

export interface WorkplaceOptions {
  /** Returns a folder for databases of requests. */
  folder: string;
  /** Returns the rows of a caller. @throws Fault as `Analysis.reach` */
  reach(caller: Caller): Promise<Reach>;
  /** Takes a turn for a caller. @throws Fault as `SqlQueries.admit` */
  admit(caller: Caller): () => void;
  /** Makes tables of ViewDefinitions that nobody has checked. @throws Fault as `AnalysisThreads.inline` */
  makeTables: AnalysisThreads['inline'];
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

  constructor(options: WorkplaceOptions) {
    this.#options = options;
  }

  /**
   * Opens the tables of a question, in a turn that begins before anything is made.
   * @throws Fault as `Analysis.reach` and `AnalysisThreads.inline`; `too_many_requests`; `insufficient_scope` for a table that
   *   the token may not search; `unprocessable` for too many resources
   */
  async open(caller: Caller, question: Question, catalogue: Catalogue): Promise<OpenedTables> {
    const endTurn = this.#options.admit(caller);
    try {
      const { release, ...opened } = await this.#opened(caller, question, catalogue);
      const releaseAll = (): void => {
        release();
        endTurn();
      };
      return { ...opened, endTurn, release: releaseAll };
    } catch (error) {
      endTurn();
      throw error;
    }
  }

  async #opened(
    caller: Caller,
    question: Question,
    catalogue: Catalogue,
  ): Promise<Omit<OpenedTables, 'endTurn'>> {
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
      const types = new Map(inline.map(({ name, resource }) => [name, resource]));
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
    const file = join(this.#options.folder, `inline-${randomUUID()}.duckdb`);
    const left = { resources: MOST_RESOURCES };
    const tables = inline.map(({ name, definition }) => ({ name, definition }));
    const feeds = inline.map(
      ({ name, resource }) => [name, () => limited(this.#found(caller, resource), left)] as const,
    );
    try {
      const task = { file, copyOf: reach?.file, tables };
      await this.#options.makeTables(task, Object.fromEntries(feeds), caller.signal);
      return file;
    } catch (error) {
      await removed(file);
      throw error;
    }
  }

  /** Gives what a search finds: of nobody it would be refused for another reason than its scope. */
  #found(caller: Caller, type: string): AsyncIterable<readonly unknown[]> {
    const { access } = caller;
    if (isOfNobody(access)) requireScope(access, type, 's');
    return isOfNobody(access) ? nothing() : this.#options.search(caller, type);
  }
}

async function* nothing(): AsyncGenerator<never> {}

/** Gives pages, as long as they have not too many resources. */
async function* limited(
  pages: AsyncIterable<readonly unknown[]>,
  left: { resources: number },
): AsyncGenerator<readonly unknown[]> {
  for await (const page of pages) {
    if ((left.resources -= page.length) < 0) {
      const message = `A view of a request is made of at most ${MOST_RESOURCES} resources. Name patients, or ask the tables that there are.`;
      throw new Fault('unprocessable', message);
    }
    yield page;
  }
}

/** Returns the refusal of a table: its type has no `s` in the scopes, or that of a type that leads to it has none. */
export function tableClosed(access: Access, { name, type }: { name: string; type: string }): Fault {
  const missing = missingScopes(access, [[{ type, interaction: 's' }]]);
  if (missing.length > 0) return scopesMissing(access, missing);
  return new Fault('insufficient_scope', `The token's scopes do not cover the table ${name}.`);
}

const removed = async (file: string): Promise<void> => {
  for (const suffix of ['', '.wal', '.tmp', '.rows'])
    await rm(file + suffix, { recursive: true, force: true });
};
