import type { Access } from '../../../schema/access/access.ts';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { RecordOperation } from '../../../schema/fault/audit.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Awaitable } from '../../../schema/process/awaitable.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import type { RecordStudy } from './record/record-study.ts';
import type { StudyQuery } from './study-query.ts';
import type { Target } from '../sources/source.ts';
import type { Study } from './study.ts';

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

/** How much of each study is wanted: 1, 2 or 3 calls to the source, however many studies. */
export type Detail = 'study' | 'series' | 'instance';

export interface StudyFilter {
  /** Default `series`. */
  detail?: Detail;
  /** Only these studies. */
  studyUids?: readonly string[];
}

/** Studies of all sources that answered, newest first. */
export interface StudyList {
  records: readonly StudyRecord[];
  /** Faults of the sources that did not answer (DW-18). */
  failed: readonly Fault[];
  /** What the clinical record says of these studies, by Study Instance UID; only of `joinedStudiesOf`. */
  joined?: ReadonlyMap<string, RecordStudy>;
  /** Studies that only the clinical record has; only of `joinedStudiesOf`. */
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

/**
 * The images of one tenant that one caller may see: the core that the GraphQL, FHIR and DICOMweb APIs call. Made per
 * request by `open`; remembers its queries for that request. A source that fails does not hide the studies of others
 * (DW-18).
 *
 * Every method throws Fault: `insufficient_scope` without `ImagingStudy.s` (lists) or `.r` (reads); `forbidden` for a
 * named patient who is out of reach (IA-7); `not_found` for a UID that is unknown or out of reach, with the same bytes
 * for both; `bad_gateway` if the EHR did not say who the patient is; `unavailable` with `retryAfter` for a source that
 * is slow or delayed (IA-19); `not_implemented` for a source or option that is not built.
 */
export interface Imaging {
  readonly tenant: Tenant;
  readonly access: Access;

  /**
   * Faults of sources that did not answer for studies which other sources gave; these studies may be incomplete
   * (DW-27).
   */
  readonly sourceFaults: readonly Fault[];

  /** Searches as QIDO-RS does (DW-1 to DW-4). The rows have no RetrieveURL: the API adds it. */
  search(query: StudyQuery): Promise<SearchResult>;

  /**
   * Returns the studies of one patient, or of every patient in reach, newest first.
   * @param patientId logical id; undefined for all in reach
   */
  studiesOf(patientId: string | undefined, filter?: StudyFilter): Awaitable<StudyList>;

  /**
   * The same, with what the clinical record says of these studies, and the studies that only the record has (IA-34). Without
   * an answer of the archives it gives the record's, and their faults in `failed`.
   */
  joinedStudiesOf(patientId: string | undefined, filter?: StudyFilter): Awaitable<StudyList>;

  /**
   * Asks for the studies of several patients at once, so that `studiesOf` each of them in this request costs fewer
   * requests to the sources. It gives nothing and reports nothing.
   */
  prefetch(patientIds: readonly string[]): Promise<void>;

  /** Returns one study by UID; undefined if it is unknown or out of reach. Needs `.r`. */
  study(studyUid: string, detail?: Detail): Promise<StudyRecord | undefined>;

  /**
   * Returns what the archives and the clinical record have of one study, by its UID or by the record's logical id; undefined
   * if it is unknown or out of reach. Needs `.r`.
   */
  joinedStudy(id: string, detail?: Detail): Promise<JoinedStudy | undefined>;

  /**
   * Returns the logical id of a patient in reach.
   * @throws Fault `forbidden` for any other patient (IA-7)
   */
  patientById(id: string): string;

  /**
   * Returns the logical id of the patient in reach who has this identifier (`patient.identifier=system|value`, IA-13).
   * @throws Fault `forbidden` if no patient in reach has it
   */
  patientByIdentifier(value: string, system?: string): Promise<string>;

  /**
   * Runs work that reads pieces of a study, and records it as one retrieval of `part` of the target (IA-30). The first
   * piece passes the checks of a retrieval, for all of them.
   */
  read<T>(target: Target, part: string, work: (study: Study) => Promise<T>): Promise<T>;
}

/** Opens the imaging core of one request. It records its operations if there is an `audit` (IA-30). */
export type OpenImaging = (
  tenant: Tenant,
  access: Access,
  over?: Abortable,
  audit?: RecordOperation,
) => Imaging;
