import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { columns } from '../../facts/attributes.ts';
import { Database } from '../../../../schema/process/sqlite.ts';

/** Increased when the tables or the attributes in them change. An older index is rebuilt. */
const VERSION = 7;

const STATE = 'state IN (0, 1, 2)'; // 0 other, 1 damaged, 2 instance

/** Counts a file more, or less, in its series. No UPSERT: the writer's OR REPLACE would take its place. */
const MORE = `
  UPDATE served SET instances = instances + 1
    WHERE StudyInstanceUID = NEW.StudyInstanceUID AND SeriesInstanceUID = NEW.SeriesInstanceUID;
  INSERT INTO served SELECT NEW.StudyInstanceUID, NEW.SeriesInstanceUID, 1 WHERE changes() = 0;`;
const LESS = `
  UPDATE served SET instances = instances - 1
    WHERE StudyInstanceUID = OLD.StudyInstanceUID AND SeriesInstanceUID = OLD.SeriesInstanceUID;
  DELETE FROM served
    WHERE StudyInstanceUID = OLD.StudyInstanceUID AND SeriesInstanceUID = OLD.SeriesInstanceUID AND instances = 0;`;

const SCHEMA = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE file (
  id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, mtime REAL NOT NULL,
  ctime REAL NOT NULL,
  state INTEGER NOT NULL CHECK (${STATE}),
  -- 1 for the file that is served: the first path of its UIDs, with the same patient as its study.
  kept INTEGER NOT NULL DEFAULT 0,
  StudyInstanceUID TEXT, SeriesInstanceUID TEXT, PatientID TEXT, IssuerOfPatientID TEXT,
  ${columns('instance').join(', ')}, json TEXT
);
CREATE INDEX file_uid ON file (StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, kept) WHERE state = 2;
CREATE TABLE series (
  StudyInstanceUID TEXT NOT NULL, ${columns('series').join(', ')}, source TEXT NOT NULL, json TEXT NOT NULL,
  PRIMARY KEY (StudyInstanceUID, SeriesInstanceUID)
) WITHOUT ROWID;
CREATE TABLE study (
  -- Earliest millisecond since 1970 in which the study began, as FHIR sorts it.
  ${columns('study').join(', ')}, started REAL, source TEXT NOT NULL, json TEXT NOT NULL,
  PRIMARY KEY (StudyInstanceUID)
) WITHOUT ROWID;
CREATE INDEX study_patient ON study (PatientID);
-- As lists are sorted, so that a page of all studies is read without the rest.
CREATE INDEX study_date ON study (StudyDate DESC, StudyTime DESC);
CREATE INDEX study_accession ON study (AccessionNumber);
-- Number of served files of each series, because a search that counts the files of a large study takes long.
CREATE TABLE served (
  StudyInstanceUID TEXT NOT NULL, SeriesInstanceUID TEXT NOT NULL, instances INTEGER NOT NULL,
  PRIMARY KEY (StudyInstanceUID, SeriesInstanceUID)
) WITHOUT ROWID;
CREATE TRIGGER served_new AFTER INSERT ON file WHEN NEW.kept = 1 BEGIN ${MORE} END;
CREATE TRIGGER served_gone AFTER DELETE ON file WHEN OLD.kept = 1 BEGIN ${LESS} END;
CREATE TRIGGER served_more AFTER UPDATE OF kept ON file WHEN NEW.kept > OLD.kept BEGIN ${MORE} END;
CREATE TRIGGER served_less AFTER UPDATE OF kept ON file WHEN NEW.kept < OLD.kept BEGIN ${LESS} END;
CREATE TABLE stale (StudyInstanceUID TEXT PRIMARY KEY) WITHOUT ROWID;
`;

/**
 * Opens the index of a folder. Creates an empty one if it is missing, damaged, or of another version or folder.
 * @param file path of the SQLite file, whose directory is created
 * @param root absolute path of the folder
 * @param more tags of attributes of instances for `instancesIn`: another list needs another file
 */
export function openDatabase(file: string, root: string, more: readonly string[] = []): Sqlite.Database {
  mkdirSync(dirname(file), { recursive: true });
  try {
    const database = connect(file);
    const usable =
      database.pragma('user_version', { simple: true }) === VERSION &&
      database.prepare("SELECT value FROM meta WHERE name = 'root'").pluck().get() === root;
    if (usable) return ready(database);
    database.close();
  } catch {
    // Not a database, or a damaged one. The folder has all of its data.
  }
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
  const database = connect(file);
  database.exec(SCHEMA);
  if (more.length > 0) database.exec('ALTER TABLE file ADD COLUMN more TEXT');
  database.prepare("INSERT INTO meta VALUES ('root', ?)").run(root);
  database.pragma(`user_version = ${VERSION}`);
  return ready(database);
}

function connect(file: string): Sqlite.Database {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  // A power failure may lose the last seconds, which are indexed again, but never consistency.
  database.pragma('synchronous = NORMAL');
  database.pragma('cache_size = -16000');
  database.pragma('busy_timeout = 5000');
  // Counts the files that OR REPLACE removes.
  database.pragma('recursive_triggers = ON');
  return database;
}

/** Adds what each opening needs: tables of its own, and the generation, which an older index does not have. */
function ready(database: Sqlite.Database): Sqlite.Database {
  database.exec(
    `CREATE TEMP TABLE seen (id INTEGER PRIMARY KEY); CREATE TEMP TABLE gone (id INTEGER PRIMARY KEY);
     INSERT OR IGNORE INTO meta VALUES ('generation', hex(randomblob(16)))`,
  );
  return database;
}
