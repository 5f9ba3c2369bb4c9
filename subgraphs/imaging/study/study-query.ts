import type { Level } from '../facts/target.ts';

/** A search for studies, series or instances, reduced to the allow-list (DW-2, DW-3). QIDO-RS parses into it. */
export interface StudyQuery {
  level: Level;
  studyUid?: string;
  seriesUid?: string;
  /** PatientIDs that the client named, wildcards included; undefined when it named none. */
  patientIds?: readonly string[];
  /** Tag → alternatives, without PatientID. */
  match: ReadonlyMap<string, readonly string[]>;
  includeField: readonly string[] | 'all';
  limit?: number;
  offset?: number;
}
