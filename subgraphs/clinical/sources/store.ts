import Database from 'better-sqlite3';
import type { Resource } from 'fhir/r4.js';
import { LRUCache } from 'lru-cache';
import { parseFhirJson } from '../../../schema/fhir/decimal.ts';
import { foreignCursor } from '../../../schema/fault/refusals.ts';
import { parseCriteria, parseName } from '../search/criteria.ts';
import { orderBy } from '../search/sort.ts';
import type { SqlContext, Statement } from '../search/sql.ts';
import { boundTo } from '../search/reach.ts';
import { searchFrom } from '../search/sql.ts';
import type { ClinicalSource, SearchPage, SourceSearch } from './source.ts';

/** The embedded store: resources as JSON text in SQLite, with index rows for their search parameters. */
export class Store implements ClinicalSource {
  readonly local = true;
  readonly #db: Database.Database;
  readonly #read: Database.Statement<[string, string], string>;
  readonly #statements = new LRUCache<string, Database.Statement<unknown[], unknown>>({ max: 500 });
  readonly #params = new Map<string, number>();
  readonly #now: () => number;

  /**
   * @param file a database of `loadStore`
   * @param now milliseconds since the epoch
   */
  constructor(file: string, now: () => number = Date.now) {
    this.#now = now;
    this.#db = new Database(file, { fileMustExist: true });
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('query_only = ON');
    this.#db.pragma('mmap_size = 268435456');
    this.#read = this.#db.prepare('SELECT json FROM resource WHERE type = ? AND id = ?').pluck() as never;
    const params = this.#db.prepare('SELECT param, type, code FROM param').all();
    for (const { param, type, code } of params as { param: number; type: string; code: string }[]) {
      this.#params.set(`${type} ${code}`, param);
    }
  }

  async read(type: string, ids: readonly string[]): Promise<Resource[]> {
    const texts = ids.map((id) => this.#read.get(type, id)).filter((text) => text !== undefined);
    return texts.map((text) => parseFhirJson(text) as Resource);
  }

  async search(type: string, search: SourceSearch): Promise<SearchPage> {
    const { patients } = search;
    const context: SqlContext = {
      param: (of, code) => this.#params.get(`${of} ${code}`),
      now: this.#now(),
      ...(patients && { patients }),
    };
    const params = patients ? boundTo(patients, type, search.params) : search.params;
    const from = searchFrom(type, parseCriteria(type, params), context);
    const order = orderBy(type, search.sort, context);
    const offset = search.cursor === undefined ? (search.offset ?? 0) : offsetOf(search.cursor);
    const rows = this.#all(
      {
        sql: `SELECT r.json ${from.sql} ${order.sql} LIMIT ? OFFSET ?`,
        binds: [...from.binds, ...order.binds],
      },
      // One more than wanted shows whether there is a next page.
      [search.count + 1, offset],
    ) as string[];
    const resources = rows.slice(0, search.count).map((text) => parseFhirJson(text) as Resource);
    const more = rows.length > search.count;
    return {
      resources,
      ...(search.total && { total: more || offset > 0 ? this.#count(from) : rows.length }),
      ...(more && { next: String(offset + search.count) }),
    };
  }

  /** Every store supports the same parameters. */
  static supports(type: string, name: string): boolean {
    return parseName(type, name) !== undefined;
  }

  supports(type: string, name: string): boolean {
    return Store.supports(type, name);
  }

  /** Returns the number of resources of each type. */
  counts(): Record<string, number> {
    const rows = this.#db.prepare('SELECT type, count(*) AS n FROM resource GROUP BY type').all();
    return Object.fromEntries((rows as { type: string; n: number }[]).map(({ type, n }) => [type, n]));
  }

  close(): void {
    this.#db.close();
  }

  #count({ sql, binds }: Statement): number {
    return this.#all({ sql: `SELECT count(*) ${sql}`, binds })[0] as number;
  }

  #all({ sql, binds }: Statement, more: number[] = []): unknown[] {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql).pluck();
      this.#statements.set(sql, statement);
    }
    return statement.all(...binds, ...more);
  }
}

function offsetOf(cursor: string): number {
  if (!/^\d{1,9}$/.test(cursor)) throw foreignCursor();
  return Number(cursor);
}
