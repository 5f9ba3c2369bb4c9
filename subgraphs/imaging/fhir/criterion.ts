import type { Identifier, ImagingStudy } from 'fhir/r4.js';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { DICOM_UID_SYSTEM } from '../../../schema/fhir/fhir.ts';
import type { Token } from '../../../schema/fhir/search/search-value.ts';
import type { StudyKeys } from '../../../schema/fhir/study-match.ts';
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
  /** The study's own values, for criteria about the record. */
  keys?: StudyKeys;
  /** The record's answer to these criteria. */
  tests?: ReadonlyMap<RecordSearch, LinkTests>;
}

/** One repetition of a search parameter; its values are alternatives (FHIR R4 §3.1.1.3). */
export interface Criterion {
  code: string;
  /** @param now milliseconds since the epoch */
  matches(candidate: Candidate, now: number): boolean;
  /** The same of a study's row in the index of a folder, if the record says nothing of it; undefined if a row is too little. */
  matchesRow?(study: DicomJson): boolean;
  /** Study Instance UIDs that the criterion names; undefined if it may match other studies. */
  studyUids?: readonly string[];
  /** True if matching needs instances. */
  instances?: boolean;
  /** The search of the record that matching needs. */
  linked?: RecordSearch;
}

/** A search parameter. */
export interface Parameter {
  modifiers?: readonly string[];
  parse(values: string[], code: string, modifier: string | undefined): Omit<Criterion, 'code'>;
}

/** Compares an identifier with a token (R4 §3.1.1.4.10); a UID is the same with and without `urn:oid:`. */
export function meetsIdentifier({ system, value }: Token, own: Identifier): boolean {
  if (system !== undefined && system !== (own.system ?? '')) return false;
  if (value === undefined) return true;
  return own.value === value || (own.system === DICOM_UID_SYSTEM && own.value === `urn:oid:${value}`);
}
