import type { Readable } from 'node:stream';
import type { Access } from '../../../schema/access/access.ts';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { RecordOperation } from '../../../schema/fault/audit.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Order } from '../authorization/directory.ts';
import type { EncodedMetadata } from '../cache/metadata-cache.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { StudyQuery } from './study-query.ts';
import type { BulkData, Frames, InstanceTarget, StoredInstance, Target } from '../sources/source.ts';
import type { Reading } from './study-reader.ts';

/** One study as the FHIR and GraphQL faces need it. Rows are shared with a cache: never change them. */
export interface StudyRecord {
  /** Logical id of the patient in the clinical base; undefined where nobody there is known to own the study. */
  patientId?: string;
  /** Study-level row. */
  study: DicomJson;
  /** Series-level rows; empty when only studies were asked for. */
  series: readonly DicomJson[];
  /** Instance-level rows of all series, each with its SeriesInstanceUID; undefined unless asked for. */
  instances?: readonly DicomJson[];
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
  /** What kept the other sources from answering (DW-18). */
  failed: readonly Fault[];
}

/** Rows of a QIDO search, and whether more remain after `limit`. */
export interface SearchResult {
  rows: DicomJson[];
  more: boolean;
  /** What kept some sources from answering, while others did (DW-18). */
  failed?: readonly Fault[];
  /** Logical ids of the patients whose rows these are, where the caller's grants say so. */
  patients?: readonly string[];
}

/** A multipart/related body, and the boundary of its parts. */
export interface Relayed {
  boundary: string;
  body: Readable;
}

/**
 * Images of one tenant as one caller may see them: the core behind the GraphQL, FHIR and DICOMweb faces.
 * Made per request by `open`; remembers within the request what it has asked. Of several sources one that fails hides
 * nothing of the others (DW-18).
 *
 * Every method throws Fault: `insufficient_scope` without `ImagingStudy.s` (lists) or `.r` (reads); `forbidden` for a
 * patient who is named and out of reach (IA-7); `not_found` for any UID that is unknown or out of reach, alike to the
 * byte; `bad_gateway` where the EHR did not say who the patient is; `unavailable` with `retryAfter` for a source that
 * is slow or delayed (IA-19); `not_implemented` for a source or option that is not built.
 */
export interface Imaging {
  readonly tenant: Tenant;
  readonly access: Access;

  /**
   * What kept sources from answering for the studies that this request was given from others: these may have less than all
   * of them (DW-27).
   */
  readonly unanswered: readonly Fault[];

  /** As `Reading` says. */
  readonly replaced: boolean;

  /** QIDO-RS (DW-1 to DW-4). RetrieveURL is not in the rows: the face writes it. */
  search(query: StudyQuery): Promise<SearchResult>;

  /**
   * Studies of one patient, or of every patient in reach, newest first.
   * @param patientId logical id; undefined for all in reach
   */
  studiesOf(patientId: string | undefined, filter?: StudyFilter): Promise<StudyList>;

  /** One study by UID; undefined where it is unknown or out of reach. Needs `.r`. */
  study(studyUid: string, detail?: Detail): Promise<StudyRecord | undefined>;

  /**
   * The logical id, of a patient in reach.
   * @throws Fault `forbidden` for anybody else (IA-7)
   */
  patientById(id: string): string;

  /**
   * Logical id of the patient in reach who has this identifier (`patient.identifier=system|value`, IA-13).
   * @throws Fault `forbidden` when it is nobody in reach
   */
  patientByIdentifier(value: string, system?: string): Promise<string>;

  /** The order of this id; undefined where there is none for this caller. */
  order(id: string): Promise<Order | undefined>;

  /** Metadata of one instance. */
  metadata(target: InstanceTarget): Promise<ObjectMetadata>;

  /** Metadata of every instance of the target: in order, and compressed already where somebody asked before (DW-6). */
  encodedMetadata(target: Target): Promise<EncodedMetadata>;

  /**
   * Every instance of the target, as stored (`*`) or in the transfer syntax.
   * @returns after the caller's right to all of it is established (IA-24)
   */
  retrieve(target: Target, transferSyntax: string): Promise<AsyncIterable<StoredInstance>>;

  /**
   * The same as one multipart/related body; undefined where the source has it part by part only.
   * @returns once the caller's right is established and the first part is known to be good
   */
  relay(target: Target, transferSyntax: string): Promise<Relayed | undefined>;

  /** @param numbers from 1 */
  frames(target: InstanceTarget, numbers: readonly number[]): Promise<Frames>;

  /** @param path what follows the instance's URL, `bulkdata/…` */
  bulkdata(target: InstanceTarget, path: string): Promise<BulkData>;

  /**
   * Work that reads several pieces of a study to make one thing of them, as one retrieval of `part` of the target (IA-30).
   * Each piece passes the checks of a retrieval of its own.
   */
  reading<T>(target: Target, part: string, work: (core: Reading) => Promise<T>): Promise<T>;
}

/** The imaging core of one request, which records what it is asked where there is an `audit` (IA-30). */
export type OpenImaging = (
  tenant: Tenant,
  access: Access,
  signal?: AbortSignal,
  audit?: RecordOperation,
) => Imaging;
