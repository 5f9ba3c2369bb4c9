import type { Resource } from 'fhir/r4.js';
import { Database } from '../../../schema/process/sqlite.ts';
import { Compartment } from '../authorization/compartment.ts';

/** Returns a text that names the content of a store: it differs after every change. @param file a database of `loadStore` */
export function recordVersion(file: string): string {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  try {
    return db.prepare<[], string>("SELECT value FROM fingerprint WHERE name = 'content'").pluck().get()!;
  } finally {
    db.close();
  }
}

/** A whole record, for the tables of analysts. */
interface RecordFeed {
  texts(type: string): Iterable<string>;
  text(type: string, id: string): string | undefined;
  patientsOf(resource: object): readonly string[];
  close(): void;
}

/**
 * Opens the database of a store for a reader of all its resources. It is the same until it is closed, also when a load
 * replaces the file. Reads block the thread.
 * @param file a database of `loadStore`
 */
export function openRecordFeed(file: string): RecordFeed {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  db.pragma('cache_size = -4000');
  const all = db.prepare<[string], string>('SELECT json FROM resource WHERE type = ?').pluck();
  const one = db
    .prepare<[string, string], string>('SELECT json FROM resource WHERE type = ? AND id = ?')
    .pluck();
  const compartment = new Compartment();
  return {
    texts: (type) => all.iterate(type),
    text: (type, id) => one.get(type, id),
    patientsOf: (resource) => compartment.finders(resource as Resource),
    close: () => db.close(),
  };
}
