import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { BufferPool } from '../multipart/buffer-pool.ts';
import { chunksOf } from '../multipart/chunks.ts';
import { inMemory, piecesOf, TemporaryFile, type FrameBytes } from '../multipart/frame-bytes.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import type { EncodedMetadata } from '../cache/metadata-cache.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { BulkData, Frames, InstanceTarget, Target } from '../sources/source.ts';

export type InstanceOfStudy = Omit<InstanceTarget, 'studyUid'>;

/** The version of instances, for cache keys and entity tags of what is made from them. */
export interface Version {
  /** Tenant and source. */
  source: string;
  /** Their patient, as the row of the study states it. */
  patient: string;
  /** Changes with their bytes or their number; undefined if the source cannot tell. */
  stamp: string | undefined;
}

/** Frames with the version of their instance, which is never newer than they are. */
export interface VersionedFrames extends Frames {
  version: Version;
}

/** The part of the core that reads a study. `Imaging.reading` passes it to work that is recorded as one retrieval. */
export interface Reading {
  /**
   * True if a copy has replaced a source that failed (DW-27). Then a version read before may belong to another source
   * than the bytes.
   */
  readonly usedCopy: boolean;
  study(studyUid: string, detail: 'instance'): Promise<{ instances?: readonly DicomJson[] } | undefined>;
  metadata(target: InstanceTarget): Promise<ObjectMetadata>;
  encodedMetadata(target: Target): Promise<EncodedMetadata>;
  frames(target: InstanceTarget, numbers: readonly number[]): Promise<VersionedFrames>;
  bulkdata(target: InstanceTarget, path: string): Promise<BulkData>;
  /** Returns the version of a target. @throws Fault as for every retrieval: it also checks the caller's right */
  version(target: Target): Promise<Version>;
}

/**
 * Reads one study in pieces, for rendering. It reaches only this study, and every piece passes the checks of a separate
 * retrieval (IA-23, IA-24). Every method throws the faults of the core.
 */
export interface StudyReader {
  readonly studyUid: string;
  /** Aborted when the caller leaves. */
  readonly signal: AbortSignal | undefined;
  /** Returns the rows of the instances of one series or of all. */
  instances(seriesUid?: string): Promise<readonly DicomJson[]>;
  version(instance: InstanceOfStudy): Promise<Version>;
  metadata(instance: InstanceOfStudy): Promise<ObjectMetadata>;
  /** Fetches frames in the order asked for; the caller closes them. @throws Fault `too_large` beyond the limit */
  frames(instance: InstanceOfStudy, numbers: readonly number[]): Promise<FetchedFrames>;
  /** Opens a large value. @param uri as in `metadata` */
  bulkdata(instance: InstanceOfStudy, uri: string): Promise<BulkData>;
  /** Reads the same into memory. @throws Fault `too_large` beyond `most` bytes */
  bytes(instance: InstanceOfStudy, uri: string, most: number): Promise<Uint8Array>;
}

/** Frames that are fetched but not yet in memory, unless they are small. */
export interface FetchedFrames {
  transferSyntax: string;
  /** Size of all frames together. */
  bytes: number;
  read(): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

/** Maximum bytes of all frames of one answer. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** Holds one frame as its source gives it; several in a file, until there is room for them in memory. */
async function held(
  frames: AsyncIterable<FrameBytes>,
  count: number,
): Promise<Omit<FetchedFrames, 'transferSyntax'>> {
  const iterator = frames[Symbol.asyncIterator]();
  const close = async (): Promise<void> => void (await iterator.return?.());
  if (count === 1) {
    const { done, value } = await iterator.next();
    if (done) throw noSuchObject();
    if (value.length <= MAX_ANSWER_BYTES)
      return { bytes: value.length, read: async () => [await inMemory(value)], close };
    await close();
    throw tooLarge();
  }
  const lengths: number[] = [];
  const file = await TemporaryFile.written(measured(frames, lengths), new BufferPool());
  const read = async (): Promise<Uint8Array[]> => {
    const read: Uint8Array[] = [];
    let at = 0;
    for (const length of lengths) {
      read.push(await file.read(at, length));
      at += length;
    }
    return read;
  };
  if (lengths.length === count) return { bytes: file.length, read, close: () => file.close() };
  await file.close();
  throw noSuchObject();
}

async function* measured(frames: AsyncIterable<FrameBytes>, lengths: number[]): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const frame of frames) {
    lengths.push(frame.length);
    if ((bytes += frame.length) > MAX_ANSWER_BYTES) throw tooLarge();
    yield* piecesOf(frame);
  }
}

function tooLarge(): Fault {
  return new Fault('too_large', 'These frames are too large to be rendered at once; ask for fewer.');
}

/** Makes a reader of one study. @param signal signal of the request */
export function studyReader(core: Reading, studyUid: string, signal?: AbortSignal): StudyReader {
  const bulkdata = (instance: InstanceOfStudy, uri: string) =>
    core.bulkdata({ studyUid, ...instance }, uri.slice(Math.max(0, uri.indexOf('bulkdata/'))));
  return {
    ...{ studyUid, signal },
    async instances(seriesUid) {
      const study = await core.study(studyUid, 'instance');
      const rows = study?.instances ?? [];
      if (seriesUid === undefined) return rows;
      return rows.filter((row) => text(row, Tag.SeriesInstanceUID) === seriesUid);
    },
    version: (instance) => core.version({ studyUid, ...instance }),
    metadata: (instance) => core.metadata({ studyUid, ...instance }),
    async frames(instance, numbers) {
      const { transferSyntax, frames } = await core.frames({ studyUid, ...instance }, numbers);
      return { transferSyntax, ...(await held(frames, numbers.length)) };
    },
    bulkdata,
    async bytes(instance, uri, most) {
      const { size = 0, open } = await bulkdata(instance, uri);
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of size > most ? [] : chunksOf(open())) {
        chunks.push(chunk);
        if ((bytes += chunk.length) > most) break;
      }
      if (Math.max(size, bytes) > most)
        throw new Fault('too_large', 'The object is too large to be rendered here; retrieve it.');
      return Buffer.concat(chunks);
    },
  };
}
