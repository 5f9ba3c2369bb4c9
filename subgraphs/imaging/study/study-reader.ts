import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { BufferPool } from '../multipart/buffer-pool.ts';
import { chunksOf } from '../multipart/chunks.ts';
import { inMemory, piecesOf, TemporaryFile, type FrameBytes } from '../multipart/frame-bytes.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { BulkData, Frames, InstanceTarget, Target } from '../sources/source.ts';

export type InstanceOfStudy = Omit<InstanceTarget, 'studyUid'>;

/** Instances as they are now, to name what is made of them in caches and entity tags. */
export interface Version {
  /** Tenant and source. */
  source: string;
  /** Their patient, as the row of their study says it. */
  patient: string;
  /** Changes when their bytes or their number do; undefined where the source cannot tell. */
  stamp: string | undefined;
}

/** What reading needs of the core; `reading` hands it to the work that is recorded as one retrieval. */
export interface Reading {
  /**
   * Whether a copy has taken the place of a source that failed (DW-27): then the version that was told before may be
   * another's than what is given.
   */
  readonly replaced: boolean;
  study(studyUid: string, detail: 'instance'): Promise<{ instances?: readonly DicomJson[] } | undefined>;
  metadata(target: InstanceTarget): Promise<ObjectMetadata>;
  frames(target: InstanceTarget, numbers: readonly number[]): Promise<Frames>;
  bulkdata(target: InstanceTarget, path: string): Promise<BulkData>;
  /** @throws Fault as for every retrieval: it is also the check of the caller's right */
  version(target: Target): Promise<Version>;
}

/**
 * One study, read in pieces by what makes something of it. It reaches nothing but this study, and every piece passes the
 * same checks as a retrieval of its own (IA-23, IA-24). Every method throws what the core does.
 */
export interface StudyReader {
  readonly studyUid: string;
  /** Ends when the caller leaves. */
  readonly signal: AbortSignal | undefined;
  /** Rows of the instances, of one series or of all. */
  instances(seriesUid?: string): Promise<readonly DicomJson[]>;
  version(instance: InstanceOfStudy): Promise<Version>;
  metadata(instance: InstanceOfStudy): Promise<ObjectMetadata>;
  /** Frames in the order asked for, to be closed. @throws Fault `too_large` beyond the limit */
  frames(instance: InstanceOfStudy, numbers: readonly number[]): Promise<HeldFrames>;
  /** @param uri as `metadata` gave it */
  bulkdata(instance: InstanceOfStudy, uri: string): Promise<BulkData>;
  /** The same as bytes. @throws Fault `too_large` beyond `most` of them */
  bytes(instance: InstanceOfStudy, uri: string, most: number): Promise<Uint8Array>;
}

/** Frames that have been fetched and are not in memory yet, unless they are small. */
export interface HeldFrames {
  transferSyntax: string;
  /** Of all of them together. */
  bytes: number;
  read(): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

/** Bytes of all frames that are read for one answer. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** One frame as its source has it; several in a file, until there is room for them in memory. */
async function held(
  frames: AsyncIterable<FrameBytes>,
  count: number,
): Promise<Omit<HeldFrames, 'transferSyntax'>> {
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

/** @param signal of the request */
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
