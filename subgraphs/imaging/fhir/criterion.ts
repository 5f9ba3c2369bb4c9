import type { ImagingStudy } from 'fhir/r4.js';
import type { StudyKeys } from '../../../schema/fhir/study-links.ts';
import type { FirstSeenEntry } from '../cache/first-seen.ts';
import type { RecordSearch } from './joins/record-joins.ts';

/** Tests of the resources that a search of the record has found: whether a study belongs to them. */
export type LinkTests = readonly ((study: StudyKeys) => boolean)[];

/** A study to match: its resource, and when it was first seen. */
export interface Candidate {
  study: ImagingStudy;
  memory?: FirstSeenEntry;
  /** Logical id of the study in the clinical record, if that has it. */
  recordId?: string;
  /** What the study says of itself, for criteria about the record. */
  keys?: StudyKeys;
  /** What the record has found for these criteria. */
  tests?: ReadonlyMap<RecordSearch, LinkTests>;
}

/** One repetition of a search parameter; its values are alternatives (FHIR R4 §3.1.1.3). */
export interface Criterion {
  code: string;
  /** @param now milliseconds since the epoch */
  matches(candidate: Candidate, now: number): boolean;
  /** Study Instance UIDs that the criterion names; undefined if it may match other studies. */
  studyUids?: readonly string[];
  /** True if matching needs instances. */
  instances?: boolean;
  /** The search of the record that matching needs. */
  linked?: RecordSearch;
}
