/**
 * The source of records and images. Each kind of server has an adapter: `graph/` (our GraphQL), `rest/` (any FHIR R4
 * server), `dicomweb/` (any DICOMweb server). One contract test holds for all. All methods throw `Trouble`, or the reason
 * of the signal.
 */
import type { Instance } from '../domain/instance.ts';
import type { PatientRecord, Person, Trend } from '../domain/record/record.ts';
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
  /** Study Instance UIDs of comparable earlier studies, newest first. */
  priors(studyUid: string, signal: AbortSignal): Promise<readonly string[]>;
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
  /** Bytes of one frame, compressed or not, with their transfer syntax. */
  frame(at: ImageLocation, name: FrameName, signal: AbortSignal): Promise<FrameBytes>;
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
  bulk(url: string, signal: AbortSignal): Promise<Uint8Array>;
}

export interface FrameBytes {
  bytes: Uint8Array;
  /** Transfer Syntax UID. */
  transferSyntax: string;
}
