import type { Level } from './sources/source.ts';

/** A QIDO-RS request after the allow-list (DW-2, DW-3). */
export interface QidoQuery {
  level: Level;
  studyUid?: string;
  seriesUid?: string;
  /** PatientIDs that the client named, wildcards included; undefined when it named none. */
  patientIds?: readonly string[];
  /** Tag → alternatives, PatientID excepted. */
  match: ReadonlyMap<string, readonly string[]>;
  includeField: readonly string[] | 'all';
  limit?: number;
  offset?: number;
}
