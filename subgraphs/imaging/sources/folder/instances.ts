import { Database } from '../../../../schema/process/sqlite.ts';

/** An instance that a folder serves, for the tables of analysts. Null: its file does not say it. */
export interface IndexedRow {
  id: string;
  study_id: string;
  series_id: string;
  sop_class: string | null;
  number: number | null;
  frames: number | null;
  rows: number | null;
  columns: number | null;
  /** Attributes that the index has for analysts, as DICOM JSON. */
  more?: string | null;
}

/**
 * Reads the instances of a folder, for a thread: reads block it.
 * @param file the index of an open folder
 */
export function* instancesIn(file: string): Generator<IndexedRow> {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  try {
    const hasMore =
      db.prepare("SELECT 1 FROM pragma_table_info('file') WHERE name = 'more'").get() !== undefined;
    yield* db
      .prepare<[], IndexedRow>(
        `SELECT SOPInstanceUID AS id, StudyInstanceUID AS study_id, SeriesInstanceUID AS series_id,
           SOPClassUID AS sop_class, InstanceNumber AS number, NumberOfFrames AS frames, Rows AS rows, Columns AS columns${hasMore ? ', more' : ''}
         FROM file WHERE kept = 1`,
      )
      .iterate();
  } finally {
    db.close();
  }
}
