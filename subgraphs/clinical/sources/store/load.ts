import type Sqlite from 'better-sqlite3';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { finishStore } from './finish-store.ts';
import { contentHash, inputFiles, resourcesIn, type Input } from './inputs.ts';
import { StoreWriter } from './store-writer.ts';
import { storeSchema, TABLES } from './tables.ts';
import { Database } from '../../../../schema/process/sqlite.ts';

/** The progress of a load. */
export interface LoadProgress {
  step: 'waiting' | 'reading' | 'loading' | 'indexing';
  /** Files that are read completely, of all files. */
  files: number;
  of: number;
  resources: number;
}

/** Resources of one transaction: after a kill, at most these are read again. */
const COMMITTED_TOGETHER = 2_000;
/** Milliseconds between two looks whether another process has finished. */
const LOOK_AGAIN = 200;

/** Tables of a database under construction, about its load. */
const CONSTRUCTION = `
CREATE TABLE construction (content TEXT, boot TEXT);
CREATE TABLE place (file INTEGER, place INTEGER, resources INTEGER);
INSERT INTO place VALUES (0, 0, 0);
CREATE TABLE conditional (rid INTEGER PRIMARY KEY);
`;

/**
 * Updates the database at `file` to the FHIR data at `path`: a file, or a folder with subfolders, of Bundles, single
 * resources and NDJSON. It reads nothing when names, sizes and times are as at the last load, and builds nothing when only
 * the times differ. A new database replaces the old one when it is complete. A load that was killed goes on where it was
 * when the inputs are the same. It blocks the thread, also while another process builds the same database.
 * @throws Error that names the file that cannot be read
 */
export function loadStore(
  path: string,
  file: string,
  onProgress: (progress: LoadProgress) => void = () => {},
): void {
  const inputs = inputFiles(path);
  const stats = fingerprint(inputs.map(({ name, size, mtimeMs }) => `${name} ${size} ${mtimeMs}`));
  if (storedFingerprint(file, 'stats') === stats) return;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const progress = { files: 0, of: inputs.length, resources: 0 };
  const unlock = lock(`${file}.lock`, () => onProgress({ step: 'waiting', ...progress }));
  try {
    if (storedFingerprint(file, 'stats') === stats) return;
    const hashes = inputs.map(({ name, path }) => {
      return `${name} ${contentHash(path, () => onProgress({ step: 'reading', ...progress }))}`;
    });
    const content = fingerprint(hashes);
    if (storedFingerprint(file, 'content') === content) return rememberStats(file, stats);
    removeLeftovers(file);
    build(inputs, { file, stats, content }, onProgress);
  } finally {
    unlock();
  }
}

function build(
  inputs: readonly Input[],
  { file, stats, content }: Record<'file' | 'stats' | 'content', string>,
  onProgress: (progress: LoadProgress) => void,
): void {
  const building = `${file}.building`;
  const db = openConstruction(building, content);
  try {
    const resources = fill(db, inputs, onProgress);
    const indexing = { step: 'indexing', files: inputs.length, of: inputs.length, resources } as const;
    onProgress(indexing);
    finishStore(db, () => onProgress(indexing));
    const insert = db.prepare('INSERT OR REPLACE INTO fingerprint VALUES (?, ?)');
    for (const [name, value] of Object.entries({ stats, content, schema: storeSchema() }))
      insert.run(name, value);
    db.pragma('journal_mode = DELETE');
    db.exec('DROP TABLE place; DROP TABLE conditional; DROP TABLE construction');
    db.close();
    // Readers of the old database keep its file until they close it.
    renameSync(building, file);
  } catch (error) {
    db.close();
    removeDatabase(building);
    throw error;
  }
}

/** Opens the database of an interrupted load of the same content, or creates a new one. */
function openConstruction(building: string, content: string): Sqlite.Database {
  const boot = bootId();
  if (existsSync(building)) {
    const db = constructionAt(building);
    if (boot !== undefined && isContinued(db, content, boot)) return db;
    db.close();
    removeDatabase(building);
  }
  const db = constructionAt(building);
  chmodSync(building, 0o600);
  db.exec(TABLES + CONSTRUCTION);
  db.prepare('INSERT INTO construction VALUES (?, ?)').run(content, boot);
  return db;
}

function constructionAt(building: string): Sqlite.Database {
  const db = new Database(building);
  // Rows are only appended: a rollback journal then holds a few pages, where a WAL would hold every page twice.
  db.pragma('journal_mode = TRUNCATE');
  // The file of a killed process is still there; only a machine that stops loses it, which `boot` shows.
  db.pragma('synchronous = OFF');
  db.pragma('cache_size = -4000');
  return db;
}

function isContinued(db: Sqlite.Database, content: string, boot: string): boolean {
  try {
    const found = db.prepare('SELECT content, boot FROM construction').get() as
      { content: string; boot: string } | undefined;
    return found?.content === content && found.boot === boot;
  } catch {
    return false;
  }
}

/** Returns an id of this start of the machine; undefined where there is none. */
function bootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Stores the resources of all files, from the place at which the load was interrupted. @returns how many */
function fill(
  db: Sqlite.Database,
  inputs: readonly Input[],
  onProgress: (progress: LoadProgress) => void,
): number {
  const begun = db.prepare('SELECT file, place, resources FROM place').get() as {
    file: number;
    place: number;
    resources: number;
  };
  const writer = new StoreWriter(db);
  const setPlace = db.prepare('UPDATE place SET file = ?, place = ?, resources = ?');
  const addConditional = db.prepare('INSERT INTO conditional VALUES (?)');
  let { resources } = begun;
  let uncommitted = 0;
  const commit = (file: number, place: number): void => {
    writer.flush();
    setPlace.run(file, place, resources);
    db.exec('COMMIT; BEGIN');
    uncommitted = 0;
    onProgress({ step: 'loading', files: file, of: inputs.length, resources });
  };
  db.exec('BEGIN');
  for (const [index, input] of inputs.entries()) {
    if (index < begun.file) continue;
    for (const { entry, place } of resourcesIn(input, index === begun.file ? begun.place : 0)) {
      const rid = writer.add(entry);
      // `Practitioner?identifier=…` may point into a file that is read later (R4 §3.1.0.11.3).
      if (entry.json.includes('?identifier=')) addConditional.run(rid);
      resources++;
      if (++uncommitted >= COMMITTED_TOGETHER && place > 0) commit(index, place);
    }
    if (uncommitted >= COMMITTED_TOGETHER || index === inputs.length - 1) commit(index + 1, 0);
  }
  writer.flush();
  db.exec('COMMIT');
  return resources;
}

/** Waits until no other process builds this database. The lock ends with the process that has it. @returns its end */
function lock(file: string, onWait: () => void): () => void {
  const db = new Database(file, { timeout: 0 });
  for (;;) {
    try {
      db.exec('BEGIN EXCLUSIVE');
      return () => db.close();
    } catch (error) {
      if ((error as { code?: string }).code !== 'SQLITE_BUSY') {
        db.close();
        throw error;
      }
      onWait();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_AGAIN);
    }
  }
}

/** Returns a hash of the lines and the schema: a change of any of them rebuilds the store. */
function fingerprint(lines: readonly string[]): string {
  return createHash('sha256').update(storeSchema()).update(lines.join('\n')).digest('hex');
}

function storedFingerprint(file: string, name: 'stats' | 'content'): string | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const db = new Database(file, { readonly: true, fileMustExist: true });
    const find = db.prepare<[string], string>('SELECT value FROM fingerprint WHERE name = ?').pluck();
    const value = find.get(name);
    db.close();
    return value;
  } catch {
    return undefined;
  }
}

function rememberStats(file: string, stats: string): void {
  const db = new Database(file);
  db.prepare("UPDATE fingerprint SET value = ? WHERE name = 'stats'").run(stats);
  db.close();
}

/** Removes files of loads of an older version. */
function removeLeftovers(file: string): void {
  const prefix = `${basename(file)}.building-`;
  for (const name of readdirSync(dirname(file))) {
    if (name.startsWith(prefix)) rmSync(join(dirname(file), name), { force: true });
  }
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
}

function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
}
