import type Database from 'better-sqlite3';
import { foldString, type IndexRows } from '../../search/index-rows.ts';
import { ROW_COLUMNS, type RowTable } from './tables.ts';

type Value = string | number | null;

/** Rows of one table that are not written yet. One statement for many rows takes a third of the time. */
class Table {
  readonly #columns: number;
  readonly #rowsAtOnce: number;
  readonly #many: Database.Statement<[Value[]]>;
  readonly #one: Database.Statement<[Value[]]>;
  #pending: Value[] = [];

  constructor(db: Database.Database, table: RowTable, rowsAtOnce: number) {
    this.#columns = ROW_COLUMNS[table].length + 2;
    this.#rowsAtOnce = rowsAtOnce;
    const row = `(${Array(this.#columns).fill('?').join(', ')})`;
    const insert = (rows: number) =>
      // A resource may have the same value twice.
      db.prepare<[Value[]]>(`INSERT OR IGNORE INTO ${table} VALUES ${Array(rows).fill(row).join(', ')}`);
    this.#one = insert(1);
    this.#many = rowsAtOnce === 1 ? this.#one : insert(rowsAtOnce);
  }

  add(...row: Value[]): void {
    for (const value of row) this.#pending.push(value);
    if (this.#pending.length < this.#rowsAtOnce * this.#columns) return;
    this.#many.run(this.#pending);
    this.#pending = [];
  }

  flush(): void {
    for (let start = 0; start < this.#pending.length; start += this.#columns) {
      this.#one.run(this.#pending.slice(start, start + this.#columns));
    }
    this.#pending = [];
  }
}

/** Writes the index rows of resources. */
export class RowWriter {
  readonly #tables: Record<RowTable, Table>;

  /**
   * @param db a database with the tables of the store
   * @param rowsAtOnce rows of a table that are written together; with more than 1, `flush` writes the last ones
   */
  constructor(db: Database.Database, rowsAtOnce = 1) {
    const names = Object.keys(ROW_COLUMNS) as RowTable[];
    const tables = names.map((name) => [name, new Table(db, name, rowsAtOnce)] as const);
    this.#tables = Object.fromEntries(tables) as Record<RowTable, Table>;
  }

  /**
   * @param param the number of the search parameter
   * @param rid the resource's row
   * @throws TypeError for a value that is neither a text nor a number; nothing is then written
   */
  write(param: number, rows: IndexRows, rid: number): void {
    requireValues(rows);
    const { token, string, date, number, reference, uri, identifier, presence, composite } = this.#tables;
    for (const { code, system } of rows.token) token.add(rid, param, code, system);
    for (const text of rows.string) string.add(rid, param, foldString(text), text);
    for (const { low, high } of rows.date) date.add(rid, param, low, high);
    for (const { low, high, system, code, unit } of rows.number) {
      number.add(rid, param, low, high, system, code, unit);
    }
    for (const target of rows.reference) reference.add(rid, param, target);
    for (const value of rows.uri) uri.add(rid, param, value);
    for (const { kind, value } of rows.identifier) identifier.add(rid, param, value, kind);
    if (rows.presence) presence.add(rid, param);
    for (const { head, tail } of rows.composite) {
      const { code, system, low, high, unit, text, target } = tail;
      const folded = text === undefined ? undefined : foldString(text);
      const values = [code, system, low, high, unit, folded, target];
      composite.add(rid, param, head.code, head.system, ...values.map((value) => value ?? null));
    }
  }

  flush(): void {
    for (const table of Object.values(this.#tables)) table.flush();
  }
}

/** Resources of other systems may have an object where FHIR has a text. */
function requireValues({ token, string, number, reference, uri, identifier, composite }: IndexRows): void {
  const isText = (value: unknown): boolean => typeof value === 'string';
  const valid =
    token.every(({ code, system }) => isText(code) && isText(system)) &&
    number.every(
      ({ low, high, system, code, unit }) =>
        Number.isFinite(low) && Number.isFinite(high) && isText(system) && isText(code) && isText(unit),
    ) &&
    identifier.every(({ kind, value }) => isText(kind) && isText(value)) &&
    composite.every(({ head, tail }) =>
      [...Object.values(head), ...Object.values(tail)].every(
        (value) => isText(value) || Number.isFinite(value),
      ),
    ) &&
    [...string, ...reference, ...uri].every(isText);
  if (!valid) throw new TypeError('A value is neither a text nor a number.');
}
