import type Database from 'better-sqlite3';
import { searchParameters } from '../../../../schema/fhir/tables.ts';
import { compileIndexer, type Indexer } from '../../search/index-rows.ts';
import { RowWriter } from './row-writer.ts';

/** Rows that are written together. */
const ROWS_AT_ONCE = 50;

/** A resource to be stored. */
export interface Entry {
  type: string;
  id: string;
  /** The resource as `writeFhirJson` writes it. */
  json: string;
  /** The same resource with numbers, for the index. */
  resource: object;
}

type NumberedIndexer = Indexer & { param: number };

/** Writes resources and their index rows into a database with the tables of the store. */
export class StoreWriter {
  readonly #indexers = new Map<string, readonly NumberedIndexer[]>();
  readonly #rows: RowWriter;
  readonly #params: Map<string, number>;
  readonly #insertParam: Database.Statement<[string, string]>;
  readonly #insertResource: Database.Statement<[number, string, string, string]>;
  #lastRow: number;

  /** @param db may already hold resources: those that are written come after them */
  constructor(db: Database.Database) {
    this.#rows = new RowWriter(db, ROWS_AT_ONCE);
    const params = db.prepare<[], { param: number; key: string }>(
      "SELECT param, type || ' ' || code AS key FROM param",
    );
    this.#params = new Map(params.all().map(({ param, key }) => [key, param]));
    this.#insertParam = db.prepare('INSERT INTO param (type, code) VALUES (?, ?)');
    this.#insertResource = db.prepare('INSERT INTO resource (rid, type, id, json) VALUES (?, ?, ?, ?)');
    this.#lastRow = db.prepare<[], number>('SELECT coalesce(max(rid), 0) FROM resource').pluck().get()!;
  }

  /** Stores a resource and its rows. @returns its row */
  add({ type, id, json, resource }: Entry): number {
    const rid = ++this.#lastRow;
    this.#insertResource.run(rid, type, id, json);
    this.index(rid, type, resource);
    return rid;
  }

  /** Writes the rows of a resource that is stored. A search parameter whose values are not valid FHIR has none. */
  index(rid: number, type: string, resource: object): void {
    for (const indexer of this.#indexersOf(type)) {
      try {
        this.#rows.write(indexer.param, indexer.rows(resource), rid);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
      }
    }
  }

  /** Writes what is still kept in memory. */
  flush(): void {
    this.#rows.flush();
  }

  #indexersOf(type: string): readonly NumberedIndexer[] {
    let indexers = this.#indexers.get(type);
    if (!indexers) {
      indexers = searchParameters(type).flatMap((parameter) => {
        // `_id` is the key of the resource.
        const indexer = parameter.code === '_id' ? undefined : compileIndexer(parameter, type);
        return indexer ? [{ ...indexer, param: this.#param(type, parameter.code) }] : [];
      });
      this.#indexers.set(type, indexers);
    }
    return indexers;
  }

  #param(type: string, code: string): number {
    const key = `${type} ${code}`;
    const param = this.#params.get(key) ?? Number(this.#insertParam.run(type, code).lastInsertRowid);
    this.#params.set(key, param);
    return param;
  }
}
