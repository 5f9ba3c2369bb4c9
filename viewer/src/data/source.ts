/**
 * The source of records and images. Each kind of server has an adapter: `graph/` (our GraphQL), `rest/` (any FHIR R4
 * server), `dicomweb/` (any DICOMweb server). One contract test holds for all. All methods throw `Trouble`, or the reason
 * of the signal.
 */
import type { Instance } from '../domain/instance.ts';
import type { RecordAccess } from '../domain/record/access.ts';
import type { PatientRecord, Person, Trend } from '../domain/record/record.ts';
import type { MadeLink, SharedLink, WantedLink } from '../domain/shared-link.ts';
import type { FrameName, ImageLocation } from '../domain/study.ts';

export interface RecordSource {
  /** Patients whose name, birth date or number begins with the text; a page at a time. */
  patients(asked: { text?: string; next?: string }, signal: AbortSignal): Promise<Page<Person>>;
  /**
   * The record with its studies, in one request where the server can.
   * @param onBegun is given the record without studies, reports and timeline, where these come later
   */
  record(
    patientId: string,
    signal: AbortSignal,
    onBegun?: (record: PatientRecord) => void,
  ): Promise<PatientRecord>;
  /** Values of a code over time, a series for each unit. */
  trend(patientId: string, code: string, signal: AbortSignal): Promise<readonly Trend[]>;
  /** The id of a study's patient. @param study Study Instance UID, or the id of its resource */
  patientOf(study: string, signal: AbortSignal): Promise<string>;
  /** Study Instance UIDs of comparable earlier studies, newest first. */
  priors(studyUid: string, signal: AbortSignal): Promise<readonly string[]>;
  /** Accesses to a record, newest first, a page at a time. */
  accesses(
    asked: { patient: string; next?: string | undefined },
    signal: AbortSignal,
  ): Promise<Page<RecordAccess>>;
  /** The links of the person who is signed in. @throws Trouble `not-found` for a server that is not our gateway */
  sharing(): Promise<ShareSource>;
}

/** Links by which a person shows studies to others. Whether a server has them is in its SMART configuration. */
export interface ShareSource {
  list(signal: AbortSignal): Promise<readonly SharedLink[]>;
  make(wanted: WantedLink): Promise<MadeLink>;
  /** Ends a link. */
  stop(id: string): Promise<void>;
}

export interface Page<Item> {
  items: readonly Item[];
  /** Given to the next call; undefined on the last page. */
  next?: string;
}

export interface ImageSource {
  /** All instances of a series. */
  series(
    at: ImageLocation,
    name: { study: string; series: string },
    signal: AbortSignal,
  ): Promise<Instance[]>;
  /**
   * Bytes of one frame, compressed or not, with their transfer syntax.
   * @param wished Transfer Syntax UID that the server is asked for; it may give another
   */
  frame(at: ImageLocation, name: FrameName, signal: AbortSignal, wished?: string): Promise<FrameBytes>;
  /** Returns the Transfer Syntax UID that is asked for with the frames of a series; undefined: as they are stored. */
  preferred?(series: string): string | undefined;
  /** A picture of an instance or of a series' opening image, as the server draws it. Width and height in pixels. */
  rendered(
    at: ImageLocation,
    name: { study: string; series?: string; instance?: string; frame?: number },
    size: { width: number; height: number },
    signal: AbortSignal,
  ): Promise<Blob>;
  thumbnail(at: ImageLocation, name: { study: string; series: string }, signal: AbortSignal): Promise<Blob>;
  /** The instances of a series as DICOM files, one after the other; none is held back until the next one is there. */
  instances(
    at: ImageLocation,
    name: { study: string; series: string },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** A value that metadata give by reference (PS3.18 §F.2.2), such as a PDF or a waveform. */
  bulk(url: string, signal: AbortSignal, options?: BulkOptions): Promise<Uint8Array>;
}

/** Changes of a request for a value, such as for a part of it. */
export interface BulkOptions {
  accept: string;
  headers: Readonly<Record<string, string>>;
  /** Called with the headers of the answer. */
  heard: (headers: Headers) => void;
}

export interface FrameBytes {
  bytes: Uint8Array;
  /** Transfer Syntax UID. */
  transferSyntax: string;
}
