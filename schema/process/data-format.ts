import type Database from 'better-sqlite3';

/** Data in DATA_DIR that a newer version has written. Its message says what to do. */
export class NewerDataError extends Error {
  constructor(file: string, format: number, known: number) {
    super(
      `${file} was written by a newer version of the gateway (format ${format}; this version reads up to ${known}). ` +
        'Start that version again, or restore a backup that was made before the upgrade.',
    );
    this.name = 'NewerDataError';
  }
}

/**
 * Refuses data of a newer version.
 * @param format of the data; undefined for data that was written before formats were marked, which is format 1
 * @param known the newest format that this version reads
 * @throws NewerDataError
 */
export function requireKnownFormat(file: string, format: number | undefined, known: number): void {
  if (format !== undefined && format > known) throw new NewerDataError(file, format, known);
}

/**
 * Refuses a database of a newer version, and marks one without a mark (`user_version`). Only for data that cannot be built
 * again: other files are replaced.
 * @param format of this version. Increase it together with a migration of older ones
 * @throws NewerDataError
 */
export function markFormat(database: Database.Database, format: number): void {
  const found = database.pragma('user_version', { simple: true }) as number;
  if (found > format) {
    database.close();
    throw new NewerDataError(database.name, found, format);
  }
  if (found < format) database.pragma(`user_version = ${format}`);
}
