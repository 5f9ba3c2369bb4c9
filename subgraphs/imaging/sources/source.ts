import type { Readable } from 'node:stream';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { InstanceTarget, Level, Target } from '../facts/target.ts';
import type { FrameBytes } from '../multipart/frame-bytes.ts';

export type { InstanceTarget, Level, StatedPatient, Target } from '../facts/target.ts';

/** A search that has passed the allow-list (DW-3): a source is never handed a client's own query string. */
export interface SourceQuery {
  level: Level;
  studyUid?: string;
  seriesUid?: string;
  /**
   * Our own restriction: only these PatientIDs, compared to the letter (padding aside), issuer included where given.
   * Undefined means all patients; an empty list means none.
   */
  patientIds?: readonly { value: string; issuer?: string }[];
  /** Tag → alternatives. Text may hold `*` and `?`; dates and times may be ranges; UIDs are lists. Never PatientID. */
  match: ReadonlyMap<string, readonly string[]>;
  /** Tags wanted beyond the level's defaults, or everything the source knows. */
  includeField: readonly string[] | 'all';
  limit?: number;
  offset?: number;
}

/** One instance as Part 10 bytes (PS3.10), streamed. */
export interface StoredInstance {
  sopInstanceUid?: string;
  transferSyntax: string;
  /** Bytes, where known. */
  size?: number;
  stream: Readable;
}

/** Frames of one instance, in the order asked for. */
export interface Frames {
  /** Media type of each, e.g. `image/jpeg`; `application/octet-stream` for native pixels. */
  mediaType: string;
  transferSyntax: string;
  /** Each is read, or given up, before the next is asked for. */
  frames: AsyncIterable<FrameBytes>;
  /** In place of `frames`, where the source has them as a multipart body: that body, passed on as it comes. */
  relay?: {
    /** Bytes of the first frame, where known. */
    size?: number;
    /** Resolves once there are bytes. @param partType the Content-Type of each part */
    open(boundary: string, partType: string): Promise<Readable>;
  };
  /**
   * The same frames in another transfer syntax, in place of `frames`; absent where the source cannot.
   * @throws Fault `not_acceptable` for one that the pixels cannot be had in
   */
  recoded?(transferSyntax: string): Promise<Frames>;
}

/** The bytes of one bulk data attribute. */
export interface BulkData {
  mediaType: string;
  /** Bytes, where known. */
  size?: number;
  /** Opens the bytes, or a range of them; `end` is inclusive. */
  open(range?: { start: number; end: number }): Readable;
}

/**
 * Where images come from: one file per backend, one contract suite over all of them.
 * A source knows nothing of callers; `studies.ts` hands it out only behind an Access.
 *
 * Every method throws Fault: `not_found` where the object is not there, `not_acceptable` for a transfer syntax that
 * cannot be produced, `unavailable` with `retryAfter` where the backend is away, `bad_gateway` where it answers nonsense
 * (service `imaging`).
 * A stream that fails midway is destroyed with an error; it never ends early in silence (DW-13).
 */
export interface ImagingSource {
  /** QIDO-RS rows. Each has PatientID, its issuer and birth date where known, and the UIDs of its level. */
  search(query: SourceQuery, signal?: AbortSignal): Promise<DicomJson[]>;

  /**
   * Another text whenever `search` may answer otherwise than before, for caches of its rows; absent, or undefined, where
   * the source cannot tell.
   */
  generation?(): string | undefined;

  /** Metadata of every instance of the target: parsed in threads, and never as objects here (DW-24). */
  metadata(target: Target, signal?: AbortSignal): Promise<ObjectMetadata[]>;

  /**
   * Every instance of the target, one at a time: at most the next is opened before the one before was read.
   * @param transferSyntax `*` for as stored, or a UID
   */
  retrieve(target: Target, transferSyntax: string, signal?: AbortSignal): AsyncIterable<StoredInstance>;

  /**
   * The same as one multipart/related body with this boundary, where the source has it in that form already: whole
   * studies then pass without being taken apart. Resolves once the first part is known to be good, or with undefined
   * where it has to be part by part.
   */
  relay?(
    target: Target,
    transferSyntax: string,
    boundary: string,
    signal?: AbortSignal,
  ): Promise<Readable | undefined>;

  /**
   * Frames as stored (or as native little-endian octets when the data are uncompressed).
   * @param numbers from 1
   * @throws Fault `not_found` for a frame that is out of range or an object without pixel data (DW-7)
   */
  frames(target: InstanceTarget, numbers: readonly number[], signal?: AbortSignal): Promise<Frames>;

  /** @param path what follows the instance's URL in an address of `metadata` */
  bulkdata(target: InstanceTarget, path: string, signal?: AbortSignal): Promise<BulkData>;

  /**
   * Changes when the bytes of any instance of the target do, and when there are more or fewer of them. Costs no more than
   * a retrieval would before its first byte; absent, or undefined, where the source cannot tell at that price.
   * @throws Fault `not_found`
   */
  version?(target: Target, signal?: AbortSignal): Promise<string | undefined>;

  /**
   * Asked before something is said not to be there; absent where each answer tells it by itself.
   * @throws Fault `unavailable` with `retryAfter` where what is missing may be away (DW-23)
   */
  throwIfAway?(): Promise<void>;

  /** Whether the backend answers us, by the smallest question it has; the answer is looked at for nothing else (SM-18). */
  check?(signal?: AbortSignal): Promise<void>;

  close(): Promise<void>;
}
