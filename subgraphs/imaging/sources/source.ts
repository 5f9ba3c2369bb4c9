import type { Readable } from 'node:stream';
import type { DicomElement, DicomJson } from '../../../schema/dicom/dicom.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { InstanceTarget, Level, Target } from '../facts/target.ts';
import type { FrameBytes } from '../multipart/frame-bytes.ts';

export type { InstanceTarget, Level, StatedPatient, Target } from '../facts/target.ts';

/** A search with only allowed keys (DW-3). A source never gets the query string of a client. */
export interface SourceQuery {
  level: Level;
  studyUid?: string;
  seriesUid?: string;
  /**
   * The restriction by authorization: only these PatientIDs, compared exactly except padding, with the issuer if given.
   * Undefined means all patients; an empty list means none.
   */
  patientIds?: readonly { value: string; issuer?: string }[];
  /**
   * Tag → alternatives. Text may contain `*` and `?`, dates and times may be ranges, UIDs are lists. Never PatientID.
   */
  match: ReadonlyMap<string, readonly string[]>;
  /** Tags to return besides the defaults of the level, or all attributes of the source. */
  includeField: readonly string[] | 'all';
  /** True where only the UIDs of studies are wanted, newest first as in `pageOfAll`: rows may have nothing else. */
  onlyUids?: true;
  limit?: number;
  offset?: number;
}

/** An attribute of studies or of their series, by whose values studies are counted. */
export interface CountedBy {
  level: 'study' | 'series';
  tag: string;
}

/** Studies with the same values of an attribute. */
export interface StudyCount {
  /** The element as the study has it, or each of its series; undefined: it has none. No order, and no element twice. */
  elements: readonly (DicomElement | undefined)[];
  studies: number;
}

/** One instance as a stream of Part 10 bytes (PS3.10). */
export interface StoredInstance {
  sopInstanceUid?: string;
  transferSyntax: string;
  /** Bytes, if known. */
  size?: number;
  stream: Readable;
}

/** Frames of one instance, in the requested order. */
export interface Frames {
  /** Media type of each, e.g. `image/jpeg`; `application/octet-stream` for native pixels. */
  mediaType: string;
  transferSyntax: string;
  /** Each is read or closed before the next is requested. */
  frames: AsyncIterable<FrameBytes>;
  /** Replaces `frames` when the source has a multipart body, which is then relayed. */
  relay?: {
    /** Bytes of the first frame, if known. */
    size?: number;
    /** Resolves when there are bytes. @param partType the Content-Type of each part */
    open(boundary: string, partType: string): Promise<Readable>;
  };
  /**
   * Returns the same frames in another transfer syntax, in place of `frames`; absent when the source cannot.
   * @throws Fault `not_acceptable` for a transfer syntax that the pixels cannot be transcoded to
   */
  transcoded?(transferSyntax: string): Promise<Frames>;
  /** The version of the instance, as `ImagingSource.version` gives it; only of sources with `stampsFrames`. */
  stamp?: string;
}

/** The bytes of one bulk data attribute. */
export interface BulkData {
  mediaType: string;
  /** Bytes, if known. */
  size?: number;
  /** Opens the bytes, or a range of them, with inclusive `end`. */
  open(range?: { start: number; end: number }): Readable;
}

/**
 * A source of images: one file for each backend, one contract suite for all of them.
 * A source does not know callers. `studies.ts` gives it out only with an Access.
 *
 * Every method throws Fault: `not_found` when the object does not exist, `not_acceptable` for a transfer syntax that
 * cannot be produced, `unavailable` with `retryAfter` when the backend is away, `bad_gateway` when its answer is
 * invalid (service `imaging`). A stream that fails is destroyed with an error. It never ends early without one (DW-13).
 */
export interface ImagingSource {
  /** Resolves when a folder has been read as a whole. Left out by other sources. */
  readonly indexed?: Promise<void>;
  /** True while a folder, which is there, refuses requests because it was never read as a whole. */
  readonly isFirstRead?: boolean;
  /** Returns QIDO-RS rows. Each has the UIDs of its level, and PatientID, its issuer and birth date if known. */
  search(query: SourceQuery, signal?: AbortSignal): Promise<DicomJson[]>;

  /**
   * Returns a text that changes whenever answers of `search` may change, for caches of its rows. Absent, or undefined,
   * when the source cannot tell.
   */
  generation?(): string | undefined;

  /** Counts all studies by the values of an attribute. Left out by sources that have no index. */
  counts?(by: CountedBy, signal?: AbortSignal): Promise<readonly StudyCount[]>;

  /** Path of the SQLite file that has the instances of a folder (`instancesIn`). Left out by other sources. */
  readonly indexFile?: string;

  /** Returns metadata of every instance of the target. They are parsed in other threads and kept as JSON (DW-24). */
  metadata(target: Target, signal?: AbortSignal): Promise<ObjectMetadata[]>;

  /**
   * Yields every instance of the target. At most the next one is opened before the current one was read.
   * @param transferSyntax `*` for as stored, or a UID
   */
  retrieve(target: Target, transferSyntax: string, signal?: AbortSignal): AsyncIterable<StoredInstance>;

  /**
   * As `retrieve`, as one multipart/related body with this boundary, for sources that have such a body. Whole studies
   * are then relayed without parsing their parts. Resolves when the first part is known to be good, or with undefined
   * when `retrieve` must be used.
   */
  relay?(
    target: Target,
    transferSyntax: string,
    boundary: string,
    signal?: AbortSignal,
  ): Promise<Readable | undefined>;

  /**
   * Returns frames as stored, or as native little-endian octets when the data are uncompressed.
   * @param numbers from 1
   * @throws Fault `not_found` for a frame that is out of range or an object without pixel data (DW-7); `framesOfVideo`
   */
  frames(target: InstanceTarget, numbers: readonly number[], signal?: AbortSignal): Promise<Frames>;

  /** Returns bulk data. @param path part after the instance's URL in an address of `metadata` */
  bulkdata(target: InstanceTarget, path: string, signal?: AbortSignal): Promise<BulkData>;

  /**
   * Returns a text that changes when the bytes of an instance of the target change, or instances are added or removed.
   * It costs no more than a retrieval up to its first byte. Absent, or undefined, when the source cannot tell for this
   * cost.
   * @throws Fault `not_found`
   */
  version?(target: Target, signal?: AbortSignal): Promise<string | undefined>;

  /** True if `frames` gives the version too, so that it need not be asked for before. */
  readonly stampsFrames?: true;

  /** Checks that the backend answers, with its smallest request, and ignores the content of the answer (SM-18). */
  check?(signal?: AbortSignal): Promise<void>;

  close(): Promise<void>;
}
