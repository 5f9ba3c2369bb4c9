import type Database from 'better-sqlite3';
import type { Resource } from 'fhir/r4.js';
import { writeFhirJson } from '../../../schema/fhir/decimal.ts';
import { searchParameters } from '../../../schema/fhir/tables.ts';
import type { Indexer, IndexRows } from '../search/index-rows.ts';
import { compileIndexer, foldString } from '../search/index-rows.ts';

/** Increase it when the rows change, so that stores of older versions are built again. */
export const STORE_VERSION = 5;

/** Tables of the store. `param` is the number of one search parameter of one resource type. */
export const TABLES = `
CREATE TABLE fingerprint (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE param (param INTEGER PRIMARY KEY, type TEXT, code TEXT);
CREATE TABLE resource (rid INTEGER PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL);
CREATE UNIQUE INDEX resource_id ON resource (type, id);
CREATE TABLE token (param INTEGER, code TEXT, system TEXT, rid INTEGER);
CREATE TABLE string (param INTEGER, value TEXT, exact TEXT, rid INTEGER);
CREATE TABLE date (param INTEGER, low REAL, high REAL, rid INTEGER);
CREATE TABLE number (param INTEGER, low REAL, high REAL, system TEXT, code TEXT, unit TEXT, rid INTEGER);
CREATE TABLE reference (param INTEGER, target TEXT, rid INTEGER);
CREATE TABLE uri (param INTEGER, value TEXT, rid INTEGER);
CREATE TABLE identifier (param INTEGER, kind TEXT, value TEXT, rid INTEGER);
CREATE TABLE presence (param INTEGER, rid INTEGER);
CREATE TABLE composite (
  param INTEGER, head_code TEXT, head_system TEXT, code TEXT, system TEXT, low REAL, high REAL, unit TEXT,
  value TEXT, target TEXT, rid INTEGER
);
`;

/** The tables whose rows belong to a resource (`rid`). */
export const ROW_TABLES = [
  ...(['resource', 'token', 'string', 'date', 'number', 'reference', 'uri'] as const),
  ...(['identifier', 'presence', 'composite'] as const),
];

/** Indexes, created after the load: filling a table with indexes takes twice as long. */
const INDEXES = `
CREATE INDEX token_value ON token (param, code, system, rid);
CREATE INDEX token_rid ON token (rid, param, code, system);
CREATE INDEX string_value ON string (param, value, rid);
CREATE INDEX string_rid ON string (rid, param, value);
CREATE INDEX date_value ON date (param, low, high, rid);
CREATE INDEX date_rid ON date (rid, param, low, high);
CREATE INDEX number_value ON number (param, low, high, rid);
CREATE INDEX number_rid ON number (rid, param, low);
CREATE INDEX reference_value ON reference (param, target, rid);
CREATE INDEX reference_rid ON reference (rid, param, target);
CREATE INDEX uri_value ON uri (param, value, rid);
CREATE INDEX uri_rid ON uri (rid, param, value);
CREATE INDEX identifier_value ON identifier (param, value, kind, rid);
CREATE INDEX identifier_rid ON identifier (rid, param);
CREATE INDEX presence_rid ON presence (rid, param);
CREATE INDEX composite_value ON composite (param, head_code, head_system, rid);
CREATE INDEX composite_rid ON composite (rid, param);
ANALYZE;
`;

/** Writes the index rows of resources. */
export class RowWriter {
  readonly #insert;

  /** @param db a database with the tables of the store */
  constructor(db: Database.Database) {
    const insert = (table: string, columns: number) =>
      db.prepare(`INSERT INTO ${table} VALUES (${Array(columns).fill('?').join(', ')})`);
    this.#insert = {
      token: insert('token', 4),
      string: insert('string', 4),
      date: insert('date', 4),
      number: insert('number', 7),
      reference: insert('reference', 3),
      uri: insert('uri', 3),
      identifier: insert('identifier', 4),
      presence: insert('presence', 2),
      composite: insert('composite', 11),
    };
  }

  /**
   * @param param the number of the search parameter
   * @param rid the resource's row
   */
  write(param: number, rows: IndexRows, rid: number): void {
    const insert = this.#insert;
    for (const { code, system } of rows.token) insert.token.run(param, code, system, rid);
    for (const text of rows.string) insert.string.run(param, foldString(text), text, rid);
    for (const { low, high } of rows.date) insert.date.run(param, low, high, rid);
    for (const { low, high, system, code, unit } of rows.number) {
      insert.number.run(param, low, high, system, code, unit, rid);
    }
    for (const target of rows.reference) insert.reference.run(param, target, rid);
    for (const uri of rows.uri) insert.uri.run(param, uri, rid);
    for (const { kind, value } of rows.identifier) insert.identifier.run(param, kind, value, rid);
    if (rows.presence) insert.presence.run(param, rid);
    for (const { head, tail } of rows.composite) {
      const { code, system, low, high, unit, text, target } = tail;
      const value = text === undefined ? undefined : foldString(text);
      insert.composite.run(
        ...[param, head.code, head.system, code, system, low, high, unit, value, target, rid],
      );
    }
  }
}

/** Writes resources and their index rows into a new, empty database. */
export class StoreWriter {
  readonly #db: Database.Database;
  readonly #indexers = new Map<string, readonly (Indexer & { param: number })[]>();
  readonly #rows: RowWriter;
  readonly #statements;

  constructor(db: Database.Database) {
    this.#db = db;
    db.exec(TABLES);
    this.#rows = new RowWriter(db);
    this.#statements = {
      find: db.prepare<[string, string], { rid: number; json: string }>(
        'SELECT rid, json FROM resource WHERE type = ? AND id = ?',
      ),
      remove: ROW_TABLES.map((table) => db.prepare<[number]>(`DELETE FROM ${table} WHERE rid = ?`)),
      param: db.prepare<[string, string]>('INSERT INTO param (type, code) VALUES (?, ?)'),
      resource: db.prepare<[string, string, string]>(
        'INSERT INTO resource (type, id, json) VALUES (?, ?, ?)',
      ),
    };
  }

  /** Stores a resource and its rows. It replaces an earlier resource with the same id. */
  put(resource: Resource & { id: string }): void {
    const statements = this.#statements;
    const json = writeFhirJson(resource);
    const earlier = statements.find.get(resource.resourceType, resource.id);
    if (earlier?.json === json) return;
    if (earlier) statements.remove.forEach((remove) => remove.run(earlier.rid));
    const rid = Number(statements.resource.run(resource.resourceType, resource.id, json).lastInsertRowid);
    const plain = json === JSON.stringify(resource) ? resource : (JSON.parse(json) as Resource);
    for (const indexer of this.#indexersOf(resource.resourceType)) {
      this.#rows.write(indexer.param, indexer.rows(plain), rid);
    }
  }

  #indexersOf(type: string): readonly (Indexer & { param: number })[] {
    let indexers = this.#indexers.get(type);
    if (!indexers) {
      indexers = searchParameters(type).flatMap((parameter) => {
        // `_id` is the key of the resource.
        const indexer = parameter.code === '_id' ? undefined : compileIndexer(parameter, type);
        if (!indexer) return [];
        const param = Number(this.#statements.param.run(type, parameter.code).lastInsertRowid);
        return [{ ...indexer, param }];
      });
      this.#indexers.set(type, indexers);
    }
    return indexers;
  }

  /** Creates the indexes. Nothing may be written afterwards. */
  finish(fingerprints: Readonly<Record<string, string>>): void {
    this.#db.exec(INDEXES);
    const insert = this.#db.prepare('INSERT INTO fingerprint VALUES (?, ?)');
    for (const [name, value] of Object.entries(fingerprints)) insert.run(name, value);
  }
}
