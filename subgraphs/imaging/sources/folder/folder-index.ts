import type Database from 'better-sqlite3';
import { Tag, text, type DicomJson } from '../../../../schema/dicom.ts';
import { columns, columnValues, rowOf } from './attributes.ts';
import type { Header } from './header.ts';

/** A file as the walk found it; the path is relative to the folder, with `/`. */
export interface FoundFile {
  path: string;
  size: number;
  /** Milliseconds since 1970, with fraction. */
  mtime: number;
}

/** What became of a file: for the log. */
export type Outcome = 'instance' | 'duplicate' | 'other-patient' | 'other' | 'damaged';

const marks = (count: number): string => Array.from({ length: count }, () => '?').join(', ');

/**
 * Files, series and studies in SQLite. One file stands for an instance however many copies there are: the one whose
 * path sorts first. The same rule picks the file that a study's and a series' attributes come from, so the answer does
 * not depend on the order in which files were found. An instance whose PatientID is not that of its study is withheld.
 */
export class FolderIndex {
  readonly #database: Database.Database;
  readonly #statements: ReturnType<typeof statements>;
  #complete = false;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#statements = statements(database);
  }

  /** Runs writes as one transaction. */
  transaction<T>(work: () => T): T {
    return this.#database.transaction(work)();
  }

  /** The row's id where the file is known and unchanged. */
  unchanged({ path, size, mtime }: FoundFile): number | undefined {
    const row = this.#statements.find.get(path) as { id: number; size: number; mtime: number } | undefined;
    return row && row.size === size && row.mtime === mtime ? row.id : undefined;
  }

  /** Notes that the running walk met a file. */
  seen(id: number): void {
    this.#statements.see.run(id);
  }

  /** Takes in a new or changed file. Call within `transaction`. */
  put(file: FoundFile, header: Header): Outcome {
    if (this.#statements.find.get(file.path)) this.remove(file.path);
    const base = [file.path, file.size, file.mtime];
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

    const study = this.#statements.study.get(studyUid) as { source: string; PatientID: string } | undefined;
    const copies = this.#statements.copy.get(studyUid, seriesUid, instanceUid) !== undefined;
    const otherPatient = study !== undefined && study.PatientID !== patientId;
    const kept = !copies && !otherPatient;
    const json = JSON.stringify(rowOf('instance', attributes));
    const values = [studyUid, seriesUid, patientId, ...columnValues('instance', attributes), json];
    this.seen(Number(this.#statements.putInstance.run(...base, kept ? 1 : 0, ...values).lastInsertRowid));
    if (!kept) this.#statements.stale.run(studyUid);
    if (kept) {
      if (!study || file.path < study.source) this.#putStudy(file.path, attributes);
      const series = this.#statements.series.get(studyUid, seriesUid) as string | undefined;
      if (series === undefined || file.path < series) this.#putSeries(file.path, attributes);
    }
    return otherPatient ? 'other-patient' : copies ? 'duplicate' : 'instance';
  }

  /** Forgets a file, or everything below a directory of that path. */
  remove(path: string): number {
    const { staleBelow, removeBelow } = this.#statements;
    staleBelow.run(path, `${path}/`, `${path}0`);
    return removeBelow.run(path, `${path}/`, `${path}0`).changes;
  }

  /** Starts a walk: nothing has been seen yet. */
  startWalk(): void {
    this.#database.exec('DELETE FROM temp.seen');
  }

  /** Ends a walk of a directory (`''` for all): forgets every file in it that was not seen. */
  endWalk(directory: string): number {
    const below = directory === '' ? '1' : 'path >= :from AND path < :to';
    const range = directory === '' ? {} : { from: `${directory}/`, to: `${directory}0` };
    // Looking for what is gone reads every row, and holds the event loop meanwhile: first see whether anything is.
    const counts = `SELECT (SELECT count(*) FROM file WHERE ${below}) = (SELECT count(*) FROM temp.seen)`;
    if (this.#database.prepare(counts).pluck().get(range) === 1) return 0;
    const gone = `${below} AND id NOT IN (SELECT id FROM temp.seen)`;
    return this.transaction(() => {
      this.#database
        .prepare(
          `INSERT OR IGNORE INTO stale SELECT DISTINCT StudyInstanceUID FROM file WHERE state = 2 AND ${gone}`,
        )
        .run(range);
      return this.#database.prepare(`DELETE FROM file WHERE ${gone}`).run(range).changes;
    });
  }

  /** Studies whose rows are to be made anew by `refresh`. */
  stale(): string[] {
    return this.#database.prepare('SELECT StudyInstanceUID FROM stale').pluck().all() as string[];
  }

  /**
   * Makes the rows of a study anew: which file it and its series take their attributes from, which copies are served.
   * @param read the header of a file of the index; undefined where it cannot be read now
   */
  refresh(studyUid: string, read: (path: string) => DicomJson | undefined): void {
    this.transaction(() => {
      const { first, firstOfSeries, keep } = this.#statements;
      const source = first.get(studyUid) as string | null;
      const header = source === null ? undefined : read(source);
      this.#database.prepare('DELETE FROM series WHERE StudyInstanceUID = ?').run(studyUid);
      this.#database.prepare('DELETE FROM study WHERE StudyInstanceUID = ?').run(studyUid);
      this.#database.prepare('DELETE FROM stale WHERE StudyInstanceUID = ?').run(studyUid);
      const gone = header === undefined || text(header, Tag.StudyInstanceUID) !== studyUid;
      if (source === null || gone) {
        this.#database
          .prepare('UPDATE file SET kept = 0 WHERE StudyInstanceUID = ? AND state = 2')
          .run(studyUid);
        // Unreadable now, though it was indexed: the next walk finds out why.
        if (source !== null) this.#statements.stale.run(studyUid);
        return;
      }
      const patientId = text(header, Tag.PatientID) ?? '';
      this.#putStudy(source, header);
      for (const path of firstOfSeries.all(studyUid, patientId) as string[]) {
        const attributes = read(path);
        if (attributes) this.#putSeries(path, attributes);
      }
      keep.run({ studyUid, patientId });
    });
  }

  /** Files that are served. */
  count(): number {
    // The index holds all it takes; the table is many times as large.
    const sql = 'SELECT count(*) FROM file INDEXED BY file_uid WHERE state = 2 AND kept = 1';
    return this.#database.prepare(sql).pluck().get() as number;
  }

  /** Whether a walk of the whole folder was ever finished. */
  get complete(): boolean {
    return (this.#complete ||= this.#statements.complete.get() !== undefined);
  }

  setComplete(): void {
    this.#database.prepare("INSERT OR REPLACE INTO meta VALUES ('complete', '1')").run();
  }

  #putStudy(source: string, header: DicomJson): void {
    this.#statements.putStudy.run(
      ...columnValues('study', header),
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

// OR REPLACE: another process may keep the same index.
function statements(database: Database.Database) {
  const instance = columns('instance');
  return {
    complete: database.prepare("SELECT 1 FROM meta WHERE name = 'complete'"),
    find: database.prepare('SELECT id, size, mtime FROM file WHERE path = ?'),
    see: database.prepare('INSERT OR IGNORE INTO temp.seen VALUES (?)'),
    putOther: database.prepare('INSERT OR REPLACE INTO file (path, size, mtime, state) VALUES (?, ?, ?, ?)'),
    putInstance: database.prepare(
      `INSERT OR REPLACE INTO file (path, size, mtime, state, kept, StudyInstanceUID, SeriesInstanceUID, PatientID,
       ${instance.join(', ')}, json) VALUES (?, ?, ?, 2, ${marks(instance.length + 5)})`,
    ),
    putStudy: database.prepare(`INSERT OR REPLACE INTO study VALUES (${marks(columns('study').length + 2)})`),
    putSeries: database.prepare(
      `INSERT OR REPLACE INTO series VALUES (${marks(columns('series').length + 3)})`,
    ),
    study: database.prepare('SELECT source, PatientID FROM study WHERE StudyInstanceUID = ?'),
    series: database
      .prepare('SELECT source FROM series WHERE StudyInstanceUID = ? AND SeriesInstanceUID = ?')
      .pluck(),
    copy: database.prepare(
      `SELECT 1 FROM file WHERE state = 2 AND StudyInstanceUID = ? AND SeriesInstanceUID = ? AND SOPInstanceUID = ?`,
    ),
    stale: database.prepare('INSERT OR IGNORE INTO stale VALUES (?)'),
    staleBelow: database.prepare(
      `INSERT OR IGNORE INTO stale
       SELECT DISTINCT StudyInstanceUID FROM file WHERE state = 2 AND (path = ? OR path >= ? AND path < ?)`,
    ),
    removeBelow: database.prepare('DELETE FROM file WHERE path = ? OR path >= ? AND path < ?'),
    first: database.prepare('SELECT min(path) FROM file WHERE state = 2 AND StudyInstanceUID = ?').pluck(),
    firstOfSeries: database
      .prepare(
        `SELECT min(path) FROM file WHERE state = 2 AND StudyInstanceUID = ? AND PatientID = ?
         GROUP BY SeriesInstanceUID`,
      )
      .pluck(),
    keep: database.prepare(
      `UPDATE file SET kept = PatientID = :patientId AND path = (
         SELECT min(path) FROM file AS copy
         WHERE copy.state = 2 AND copy.StudyInstanceUID = file.StudyInstanceUID
           AND copy.SeriesInstanceUID = file.SeriesInstanceUID AND copy.SOPInstanceUID = file.SOPInstanceUID
           AND copy.PatientID = :patientId)
       WHERE state = 2 AND StudyInstanceUID = :studyUid`,
    ),
  };
}
