import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Rows } from '../cache/study-cache.ts';
import { WeakCache } from '../facts/weak-cache.ts';
import type { Level } from '../facts/target.ts';
import type { RecordStudy } from './record/record-study.ts';
import { byStudy, compareNewestFirst } from '../facts/study-rows.ts';

/** Studies as the core gives them, and how they are made of rows. */

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

/** One study, for the FHIR and GraphQL APIs. Rows are shared with a cache: never change them. */
export interface StudyRecord {
  /** Logical id of the patient in the clinical record; undefined if no patient there is known to own the study. */
  patientId?: string;
  /** Why the patient is not known: the clinical record did not answer. */
  patientFault?: Fault;
  /** Study-level row. */
  study: DicomJson;
  /** Series-level rows; empty if only studies were asked for. */
  series: readonly DicomJson[];
  /** Instance-level rows of all series, each with its SeriesInstanceUID; undefined unless asked for. */
  instances?: readonly DicomJson[];
  /** True if no archive has all its series (IA-35). */
  isSplit?: boolean;
}

/** Logical ids of the patients whose studies are wanted: of one, of several, or undefined for all in reach. */
export type WantedPatients = string | readonly string[] | undefined;

/** The amount of each study that is wanted: 1, 2 or 3 calls to the source, however many studies. */
export type Detail = 'study' | 'series' | 'instance';

export interface StudyFilter {
  /** Default `series`. */
  detail?: Detail;
  /** Only these studies. */
  studyUids?: readonly string[];
  /** False where nobody asks whose the studies are: the record is not asked for the patient of each. */
  owners?: false;
  /** True where only the UIDs are asked for, in the order of `started`: the rows of one folder then have nothing else. */
  onlyUids?: true;
}

/** Studies of all sources that answered, newest first. */
export interface StudyList {
  records: readonly StudyRecord[];
  /** Faults of the sources that did not answer (DW-18). */
  failed: readonly Fault[];
  /** These studies in the clinical record, by Study Instance UID; if they are joined. */
  joined?: ReadonlyMap<string, RecordStudy>;
  /** Studies that only the clinical record has; if they are joined. */
  alone?: readonly RecordStudy[];
}

/** The halves of one study (IA-34): the archive's, the record's, or both. */
export interface JoinedStudy {
  record?: StudyRecord;
  own?: RecordStudy;
}

/** Rows of a QIDO search, and whether more remain after `limit`. */
export interface SearchResult {
  rows: DicomJson[];
  more: boolean;
  /** Faults of sources that did not answer, while others did (DW-18). */
  failed?: readonly Fault[];
  /** Logical ids of the patients of these rows, as far as the caller's grants name them. */
  patients?: readonly string[];
}

/** Rows of some studies by level; instances only if they were asked for. */
export interface RowsByLevel {
  studies: Rows;
  series: Rows;
  instances: Rows | undefined;
}

/** Logical id of a patient; undefined when the record knows none, a Fault when it did not answer. */
export type Owner = string | Fault | undefined;

interface Kept extends Omit<RowsByLevel, 'studies'> {
  owner: Owner;
  records: readonly StudyRecord[];
}

/** Records of one owner, keyed by the study rows, so that they are freed with the lists they were made from. */
const withInstances = new WeakCache<Rows, Kept>();
const withoutInstances = new WeakMap<Rows, Kept>();

/**
 * Makes records of rows, newest first. For one owner, or none, it returns the same frozen list for the same lists of rows.
 * @param owners logical id of the patient whose studies all of them are, undefined if it is not asked for; or of each in
 *   the order of the rows
 */
export function studyRecords(
  rows: RowsByLevel,
  owners: string | undefined | readonly Owner[],
): readonly StudyRecord[] {
  const { studies, series, instances } = rows;
  const kept = instances ? withInstances : withoutInstances;
  const known = kept.get(studies);
  if (known && known.owner === owners && known.series === series && known.instances === instances)
    return known.records;
  const seriesOf = byStudy(series);
  const instancesOf = instances && byStudy(instances);
  const records = studies.map((study, index) => {
    const uid = text(study, Tag.StudyInstanceUID) ?? '';
    const owner = typeof owners === 'object' ? owners[index] : owners;
    return studyRecord(owner, study, seriesOf.get(uid) ?? [], instancesOf && (instancesOf.get(uid) ?? []));
  });
  records.sort(compareNewestFirst);
  if (typeof owners !== 'object')
    kept.set(
      studies,
      { series, instances, owner: owners, records: Object.freeze(records) },
      instances?.length ?? 0,
    );
  return records;
}

/** Makes the record of one study; frozen, because it may be shared. */
export function studyRecord(
  owner: Owner,
  study: DicomJson,
  series: Rows,
  instances: Rows | undefined,
): StudyRecord {
  return Object.freeze({
    study,
    series,
    ...(owner instanceof Fault ? { patientFault: owner } : owner !== undefined && { patientId: owner }),
    ...(instances && { instances }),
  });
}
