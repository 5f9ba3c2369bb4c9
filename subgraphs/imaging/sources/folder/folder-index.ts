import type Database from 'better-sqlite3';
import { Tag, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { dateRange } from '../../../../schema/fhir/date-range.ts';
import { startedOf } from '../../dicom/dicom-date.ts';
import { columns, columnValues, rowOf } from '../../facts/attributes.ts';
import type { Header } from '../../parsing/header.ts';
import type { RootIdentity } from './root.ts';

/** A file of a walk. */
export interface FoundFile {
  /** Relative to the folder, with `/`. */
  path: string;
  size: number;
  /** Last change of the content, in milliseconds since 1970 with fraction. */
  mtime: number;
  /** Last change of content, name or attributes, in the same unit. */
  ctime: number;
}

/** A file in the index. */
export interface KnownFile extends FoundFile {
  id: number;
}

/** A known file and its study; `null` when it is not an instance. */
export interface StudyFile extends KnownFile {
  studyUid: string | null;
}

/** Number of files to check whether a folder still has the indexed files. */
const SAMPLE = 200;

/** The header of a file that could be read. */
export type ReadHeader = Exclude<Header, { kind: 'unreadable' }>;

/** Result of indexing a file, for the log. */
export type Outcome = 'instance' | 'duplicate' | 'other-patient' | 'other' | 'damaged';

const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');

/**
 * Files, series and studies in SQLite. If an instance has copies, the file whose path sorts first is served. The same
 * rule selects the file for the attributes of a study or series, so that answers do not depend on the order in which
 * files were found. An instance whose PatientID is not that of its study is withheld.
 */
export class FolderIndex {
  readonly #database: Database.Database;
  readonly #statements: ReturnType<typeof statements>;
  #complete = false;
  #more: Database.Statement | undefined;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#statements = statements(database);
  }

  /** Runs writes as one transaction. */
  transaction<T>(work: () => T): T {
    return this.#database.transaction(work)();
  }

  /** Returns the row id of a file if it is known and unchanged. */
  unchanged({ path, size, mtime, ctime }: FoundFile): number | undefined {
    const row = this.#statements.find.get(path) as KnownFile | undefined;
    return row && row.size === size && row.mtime === mtime && row.ctime === ctime ? row.id : undefined;
  }

  /** Notes that the running walk met a known instance. @returns false if the path is not one */
  seenInstance(path: string): boolean {
    const id = this.#statements.instanceAt.get(path) as number | undefined;
    if (id !== undefined) this.seen(id);
    return id !== undefined;
  }

  /** Notes that the running walk met a file. */
  seen(id: number): void {
    this.#statements.see.run(id);
  }

  /** Returns a text that changes with every change of the index, by this or another process; a restart is none. */
  generation(): string {
    return this.#statements.generation.get() as string;
  }

  /** Adds a new or changed file. Must be called within `transaction`. */
  put(file: FoundFile, header: ReadHeader): Outcome {
    this.#statements.changed.run();
    const before = this.#statements.at.get(file.path) as KeptRow | undefined;
    if (before) this.#remove(file.path);
    const base = [file.path, file.size, file.mtime, file.ctime];
    if (header.kind !== 'instance') {
      const state = header.kind === 'damaged' ? 1 : 0;
      this.seen(Number(this.#statements.putOther.run(...base, state).lastInsertRowid));
      return header.kind;
    }
    const { attributes } = header;
    const studyUid = text(attributes, Tag.StudyInstanceUID)!;
    const seriesUid = text(attributes, Tag.SeriesInstanceUID)!;
    const instanceUid = text(attributes, Tag.SOPInstanceUID)!;
    const patientId = text(attributes, Tag.PatientID) ?? '';
    const issuer = text(attributes, Tag.IssuerOfPatientID) ?? null;

    const study = this.#statements.study.get(studyUid) as StudyRow | undefined;
    const copies = this.#statements.copy.get(studyUid, seriesUid, instanceUid) !== undefined;
    const otherPatient =
      study !== undefined && (study.PatientID !== patientId || study.IssuerOfPatientID !== issuer);
    // Keeps the instance in its study until `refresh` selects among its copies.
    const wasKept = before?.kept === 1 && before.uids === `${studyUid} ${seriesUid} ${instanceUid}`;
    const kept = (!copies || wasKept) && !otherPatient;
    const json = JSON.stringify(rowOf('instance', attributes));
    const values = [studyUid, seriesUid, patientId, issuer, ...columnValues('instance', attributes), json];
    const id = Number(this.#statements.putInstance.run(...base, kept ? 1 : 0, ...values).lastInsertRowid);
    if (header.more) this.#putMore(id, header.more);
    this.seen(id);
    if (!kept) this.#statements.stale.run(studyUid);
    if (kept) {
      if (!study || file.path < study.source) this.#putStudy(file.path, attributes);
      const series = this.#statements.series.get(studyUid, seriesUid) as string | undefined;
      if (series === undefined || file.path < series) this.#putSeries(file.path, attributes);
    }
    return otherPatient ? 'other-patient' : copies ? 'duplicate' : 'instance';
  }

  /** Only an index with such attributes has their column. */
  #putMore(id: number, more: DicomJson): void {
    this.#more ??= this.#database.prepare('UPDATE file SET more = ? WHERE id = ?');
    this.#more.run(JSON.stringify(more), id);
  }

  #remove(path: string): void {
    this.#statements.staleOf.run(path);
    this.#statements.remove.run(path);
  }

  /** Returns the file of a path, or all files below a directory. */
  below(path: string): KnownFile[] {
    return this.#statements.below.all(path, `${path}/`, `${path}0`) as KnownFile[];
  }

  /** Starts a walk, in which no file was met yet. */
  startWalk(): void {
    this.#database.exec('DELETE FROM temp.seen');
  }

  /** Returns files of a directory (`''` for all) that the walk has not met. */
  unseen(directory: string): KnownFile[] {
    const below = directory === '' ? '1' : 'path >= :from AND path < :to';
    const range = directory === '' ? {} : { from: `${directory}/`, to: `${directory}0` };
    // Compares counts first, because finding missing files reads every row and blocks the event loop.
    const counts = `SELECT (SELECT count(*) FROM file WHERE ${below}) = (SELECT count(*) FROM temp.seen)`;
    if (this.#database.prepare(counts).pluck().get(range) === 1) return [];
    const sql = `SELECT ${KNOWN} FROM file WHERE ${below} AND id NOT IN (SELECT id FROM temp.seen)`;
    return this.#database.prepare(sql).all(range) as KnownFile[];
  }

  /** Returns these files and all others of their studies. */
  withTheirStudies(files: readonly KnownFile[]): StudyFile[] {
    this.markGone(files);
    const studies = `SELECT StudyInstanceUID FROM file WHERE state = 2 AND ${GONE}`;
    const sql = `SELECT ${KNOWN}, StudyInstanceUID AS studyUid FROM file
      WHERE (state = 2 AND StudyInstanceUID IN (${studies})) OR ${GONE}`;
    return this.#database.prepare(sql).all() as StudyFile[];
  }

  /** Marks files as gone. Replaces the files of the last call. */
  markGone(files: readonly KnownFile[]): void {
    this.transaction(() => {
      this.#database.exec('DELETE FROM temp.gone');
      for (const { id } of files) this.#statements.markGone.run(id);
    });
  }

  /** Removes the files that are marked as gone, and studies without other files. Copies replace them at once. */
  forgetGone(): void {
    const { study, stale, keep, first } = this.#statements;
    const studies = `SELECT DISTINCT StudyInstanceUID FROM file WHERE state = 2 AND ${GONE}`;
    this.transaction(() => {
      this.#statements.changed.run();
      const studyUids = this.#database.prepare(studies).pluck().all() as string[];
      this.#database.exec(`DELETE FROM file WHERE ${GONE}`);
      for (const studyUid of studyUids) {
        if (first.get(studyUid) === null) {
          this.refresh(studyUid, new Map());
          continue;
        }
        stale.run(studyUid);
        const row = study.get(studyUid) as StudyRow | undefined;
        if (row) keep.run({ studyUid, patientId: row.PatientID, issuer: row.IssuerOfPatientID });
      }
    });
  }

  /** Returns some instances from all parts of the index, or all if there are few. */
  sample(): FoundFile[] {
    return this.#sample('state = 2');
  }

  /** As `sample`, without files that are marked as gone. */
  sampleOfRest(): FoundFile[] {
    return this.#sample(`state = 2 AND NOT ${GONE}`);
  }

  #sample(where: string): FoundFile[] {
    const from = `SELECT ${KNOWN} FROM file WHERE id >= ? AND ${where} ORDER BY id LIMIT ?`;
    const next = this.#database.prepare(from);
    const few = next.all(0, SAMPLE + 1) as KnownFile[];
    if (few.length <= SAMPLE) return few;
    const last = this.#database.prepare('SELECT max(id) FROM file').pluck().get() as number;
    const spread = new Map<number, KnownFile>();
    for (let step = 0; step < SAMPLE; step++) {
      const [file] = next.all(Math.floor((step * last) / SAMPLE), 1) as KnownFile[];
      if (file) spread.set(file.id, file);
    }
    return [...spread.values()];
  }

  /** Returns studies whose rows `refresh` must rebuild. */
  stale(): string[] {
    return this.#database.prepare('SELECT StudyInstanceUID FROM stale').pluck().all() as string[];
  }

  /** Returns files from which `refresh` may take the attributes of a study and its series. */
  firstFiles(studyUid: string): string[] {
    return this.#statements.firstFiles.all(studyUid) as string[];
  }

  /**
   * Rebuilds the rows of a study: the files that give its attributes and those of its series, and the served copies.
   * @param headers of `firstFiles`, without files that cannot be read now
   */
  refresh(studyUid: string, headers: ReadonlyMap<string, DicomJson>): void {
    this.transaction(() => {
      const { first, firstOfSeries, keep, changed } = this.#statements;
      changed.run();
      const source = first.get(studyUid) as string | null;
      const header = source === null ? undefined : headers.get(source);
      // The file is unreadable or has changed. The rows stay as they are until the next walk.
      if (source !== null && (!header || text(header, Tag.StudyInstanceUID) !== studyUid)) return;
      this.#database.prepare('DELETE FROM series WHERE StudyInstanceUID = ?').run(studyUid);
      this.#database.prepare('DELETE FROM study WHERE StudyInstanceUID = ?').run(studyUid);
      this.#database.prepare('DELETE FROM stale WHERE StudyInstanceUID = ?').run(studyUid);
      if (source === null || !header) return;
      const patientId = text(header, Tag.PatientID) ?? '';
      const issuer = text(header, Tag.IssuerOfPatientID) ?? null;
      this.#putStudy(source, header);
      for (const path of firstOfSeries.all(studyUid, patientId, issuer) as string[]) {
        const attributes = headers.get(path);
        if (attributes) this.#putSeries(path, attributes);
      }
      keep.run({ studyUid, patientId, issuer });
    });
  }

  /** Returns the number of served files. */
  count(): number {
    // Reads only the database index, because the table is many times as large.
    const sql = 'SELECT count(*) FROM file INDEXED BY file_uid WHERE state = 2 AND kept = 1';
    return this.#database.prepare(sql).pluck().get() as number;
  }

  /** True if a walk of the whole folder was ever completed. */
  get complete(): boolean {
    return (this.#complete ||= this.#statements.complete.get() !== undefined);
  }

  setComplete(): void {
    this.#database.prepare("INSERT OR REPLACE INTO meta VALUES ('complete', '1')").run();
  }

  /** Starts again: no walk of the whole folder counts as completed. */
  setIncomplete(): void {
    this.#complete = false;
    this.#database.prepare("DELETE FROM meta WHERE name = 'complete'").run();
  }

  /** Tells whether any file is an instance. */
  hasInstances(): boolean {
    return this.#statements.hasInstances.get() !== undefined;
  }

  /** Identity of the indexed directory. */
  get root(): RootIdentity | undefined {
    const value = this.#database.prepare("SELECT value FROM meta WHERE name = 'identity'").pluck().get();
    return value === undefined ? undefined : (JSON.parse(value as string) as RootIdentity);
  }

  setRoot(root: RootIdentity): void {
    this.#database.prepare("INSERT OR REPLACE INTO meta VALUES ('identity', ?)").run(JSON.stringify(root));
  }

  #putStudy(source: string, header: DicomJson): void {
    this.#statements.putStudy.run(
      ...columnValues('study', header),
      dateRange(startedOf(header) ?? '')?.low ?? null,
      source,
      JSON.stringify(rowOf('study', header)),
    );
  }

  #putSeries(source: string, header: DicomJson): void {
    this.#statements.putSeries.run(
      text(header, Tag.StudyInstanceUID)!,
      ...columnValues('series', header),
      source,
      JSON.stringify(rowOf('series', header)),
    );
  }
}

interface KeptRow {
  kept: 0 | 1;
  /** UIDs of study, series and instance. */
  uids: string | null;
}

interface StudyRow {
  source: string;
  PatientID: string;
  IssuerOfPatientID: string | null;
}

const KNOWN = 'id, path, size, mtime, ctime';
const GONE = 'id IN (SELECT id FROM temp.gone)';

// OR REPLACE, because another process may write the same index.
function statements(database: Database.Database) {
  const instance = columns('instance');
  return {
    complete: database.prepare("SELECT 1 FROM meta WHERE name = 'complete'"),
    generation: database.prepare("SELECT value FROM meta WHERE name = 'generation'").pluck(),
    changed: database.prepare("UPDATE meta SET value = hex(randomblob(16)) WHERE name = 'generation'"),
    find: database.prepare(`SELECT ${KNOWN} FROM file WHERE path = ?`),
    at: database.prepare(
      `SELECT kept, StudyInstanceUID || ' ' || SeriesInstanceUID || ' ' || SOPInstanceUID AS uids FROM file WHERE path = ?`,
    ),
    instanceAt: database.prepare('SELECT id FROM file WHERE path = ? AND state = 2').pluck(),
    hasInstances: database.prepare('SELECT 1 FROM file INDEXED BY file_uid WHERE state = 2 LIMIT 1'),
    markGone: database.prepare('INSERT OR IGNORE INTO temp.gone VALUES (?)'),
    see: database.prepare('INSERT OR IGNORE INTO temp.seen VALUES (?)'),
    putOther: database.prepare(
      'INSERT OR REPLACE INTO file (path, size, mtime, ctime, state) VALUES (?, ?, ?, ?, ?)',
    ),
    putInstance: database.prepare(
      `INSERT OR REPLACE INTO file (path, size, mtime, ctime, state, kept, StudyInstanceUID, SeriesInstanceUID, PatientID,
       IssuerOfPatientID, ${instance.join(', ')}, json) VALUES (?, ?, ?, ?, 2, ${marks(instance.length + 6)})`,
    ),
    putStudy: database.prepare(`INSERT OR REPLACE INTO study VALUES (${marks(columns('study').length + 3)})`),
    putSeries: database.prepare(
      `INSERT OR REPLACE INTO series VALUES (${marks(columns('series').length + 3)})`,
    ),
    study: database.prepare(
      'SELECT source, PatientID, IssuerOfPatientID FROM study WHERE StudyInstanceUID = ?',
    ),
    series: database
      .prepare('SELECT source FROM series WHERE StudyInstanceUID = ? AND SeriesInstanceUID = ?')
      .pluck(),
    copy: database.prepare(
      `SELECT 1 FROM file WHERE state = 2 AND StudyInstanceUID = ? AND SeriesInstanceUID = ? AND SOPInstanceUID = ?`,
    ),
    stale: database.prepare('INSERT OR IGNORE INTO stale VALUES (?)'),
    staleOf: database.prepare(
      'INSERT OR IGNORE INTO stale SELECT StudyInstanceUID FROM file WHERE state = 2 AND path = ?',
    ),
    remove: database.prepare('DELETE FROM file WHERE path = ?'),
    below: database.prepare(`SELECT ${KNOWN} FROM file WHERE path = ? OR path >= ? AND path < ?`),
    first: database.prepare('SELECT min(path) FROM file WHERE state = 2 AND StudyInstanceUID = ?').pluck(),
    firstOfSeries: database
      .prepare(
        `SELECT min(path) FROM file WHERE state = 2 AND StudyInstanceUID = ? AND PatientID = ? AND IssuerOfPatientID IS ?
         GROUP BY SeriesInstanceUID`,
      )
      .pluck(),
    firstFiles: database
      .prepare(
        `SELECT min(path) FROM file WHERE state = 2 AND StudyInstanceUID = ? GROUP BY SeriesInstanceUID, PatientID, IssuerOfPatientID`,
      )
      .pluck(),
    keep: database.prepare(
      `UPDATE file SET kept = PatientID = :patientId AND IssuerOfPatientID IS :issuer AND path = (
         SELECT min(path) FROM file AS copy
         WHERE copy.state = 2 AND copy.StudyInstanceUID = file.StudyInstanceUID
           AND copy.SeriesInstanceUID = file.SeriesInstanceUID AND copy.SOPInstanceUID = file.SOPInstanceUID
           AND copy.PatientID = :patientId AND copy.IssuerOfPatientID IS :issuer)
       WHERE state = 2 AND StudyInstanceUID = :studyUid`,
    ),
  };
}
