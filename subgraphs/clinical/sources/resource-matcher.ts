import type Sqlite from 'better-sqlite3';
import type { Resource } from 'fhir/r4.js';
import { setImmediate } from 'node:timers/promises';
import { withPlainNumbers } from '../../../schema/fhir/decimal.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { searchParameter } from '../../../schema/fhir/tables.ts';
import { parseCriteria, type Criterion } from '../search/criteria.ts';
import { compileIndexer, type Indexer, type IndexRows } from '../search/index-rows.ts';
import { searchFrom, type SqlContext } from '../search/sql.ts';
import type { SearchParams } from './source.ts';
import { RowWriter } from './store/row-writer.ts';
import { ROW_TABLES, TABLES } from './store/tables.ts';
import { Database } from '../../../schema/process/sqlite.ts';

/** Resources that are judged in one turn of the event loop: about 15 ms. */
const SLICE = 50;

/** A search parameter with its number in the index. */
interface Index {
  param: number;
  indexer: Indexer;
}

/**
 * Decides which of given resources a search finds, by the same rules as the store: it searches them in a database in
 * memory. Use one per process: it keeps compiled search parameters.
 */
export class ResourceMatcher {
  readonly #db = new Database(':memory:');
  readonly #rows: RowWriter;
  readonly #put: Sqlite.Statement<[number, string, string]>;
  readonly #clear: readonly Sqlite.Statement<[]>[];
  readonly #indexers = new Map<string, Index | undefined>();
  readonly #context: SqlContext;

  /** @param now milliseconds since the epoch */
  constructor(now: () => number = Date.now) {
    this.#db.exec(TABLES);
    this.#rows = new RowWriter(this.#db);
    this.#put = this.#db.prepare("INSERT INTO resource (rid, type, id, json) VALUES (?, ?, ?, '')");
    this.#clear = ROW_TABLES.map((table) => this.#db.prepare(`DELETE FROM ${table}`));
    this.#context = {
      param: (type, code) => this.#indexer(type, code)?.param,
      get now() {
        return now();
      },
    };
  }

  /** Returns true when a resource alone decides the search: all parameters are known, and none is chained. */
  decides(type: string, params: SearchParams): boolean {
    try {
      const criteria = parseCriteria(type, params);
      searchFrom(type, criteria, this.#context);
      return criteria.length === params.length && criteria.every((criterion) => this.#isOwn(type, criterion));
    } catch (error) {
      if (error instanceof Fault) return false;
      throw error;
    }
  }

  /**
   * Returns the resources that at least one of the searches finds, in the given order. It does not block the event loop. A
   * resource that cannot be indexed is left out.
   * @param searches `decides` must be true for each
   */
  async matching(
    type: string,
    resources: readonly Resource[],
    searches: readonly SearchParams[],
  ): Promise<Resource[]> {
    const criteria = searches.map((params) => parseCriteria(type, params));
    const found: Resource[] = [];
    for (let start = 0; start < resources.length; start += SLICE) {
      if (start > 0) await setImmediate();
      found.push(...this.#found(type, resources.slice(start, start + SLICE), criteria));
    }
    return found;
  }

  /** Searches a few resources; the database is empty before and after. */
  #found(
    type: string,
    resources: readonly Resource[],
    criteria: readonly (readonly Criterion[])[],
  ): Resource[] {
    const codes = new Set(criteria.flat().map(({ parameter }) => parameter.code));
    const indexers = [...codes].flatMap((code) => this.#indexer(type, code) ?? []);
    const find = this.#db.transaction(() => {
      const judged = resources.map((resource, rid) => this.#isIndexed(rid, resource, indexers));
      const found = criteria.flatMap((search) => {
        const { sql, binds } = searchFrom(type, search, this.#context);
        return this.#db
          .prepare(`SELECT r.rid ${sql}`)
          .pluck()
          .all(...binds) as number[];
      });
      for (const clear of this.#clear) clear.run();
      return new Set(found.filter((rid) => judged[rid]));
    });
    const found = find();
    return resources.filter((_, rid) => found.has(rid));
  }

  /** Puts a resource into the database. @returns false when its values are not valid FHIR */
  #isIndexed(rid: number, resource: Resource, indexers: readonly Index[]): boolean {
    try {
      this.#put.run(rid, resource.resourceType, resource.id ?? '');
      const plain = withPlainNumbers(resource) as Resource;
      for (const { param, indexer } of indexers) this.#rows.write(param, indexer.rows(plain), rid);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Returns the values by which a parameter finds a resource; undefined for a parameter that is not indexed, and for a
   * resource whose values are not valid FHIR.
   */
  rowsOf(type: string, code: string, resource: Resource): IndexRows | undefined {
    try {
      return this.#indexer(type, code)?.indexer.rows(resource);
    } catch {
      return undefined;
    }
  }

  close(): void {
    this.#db.close();
  }

  #isOwn(type: string, { parameter, chain }: Criterion): boolean {
    return (
      chain === undefined && (parameter.code === '_id' || this.#indexer(type, parameter.code) !== undefined)
    );
  }

  #indexer(type: string, code: string): Index | undefined {
    const key = `${type} ${code}`;
    if (!this.#indexers.has(key)) {
      const parameter = searchParameter(type, code);
      const indexer = parameter && code !== '_id' ? compileIndexer(parameter, type) : undefined;
      this.#indexers.set(key, indexer && { param: this.#indexers.size, indexer });
    }
    return this.#indexers.get(key);
  }
}
