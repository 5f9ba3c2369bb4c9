import { Tag, text, type DicomJson } from '../../schema/dicom.ts';
import { Fault } from '../../schema/fault.ts';
import { chunksOf } from './chunks.ts';
import { noSuchObject } from './not-found.ts';
import type { BulkData, Frames, InstanceTarget, Target } from './sources/source.ts';

export type InstanceOfStudy = Omit<InstanceTarget, 'studyUid'>;

/** Instances as they are now, to name what is made of them in caches and entity tags. */
export interface Version {
  /** Tenant and source. */
  source: string;
  /** Changes when their bytes or their number do; undefined where the source cannot tell. */
  stamp: string | undefined;
}

/** What reading needs of the core; `reading` hands it to the work that is recorded as one retrieval. */
export interface Reading {
  study(studyUid: string, detail: 'instance'): Promise<{ instances?: readonly DicomJson[] } | undefined>;
  metadata(target: InstanceTarget): Promise<readonly DicomJson[]>;
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
  /** Rows of the instances, of one series or of all. */
  instances(seriesUid?: string): Promise<readonly DicomJson[]>;
  version(instance: InstanceOfStudy): Promise<Version>;
  metadata(instance: InstanceOfStudy): Promise<DicomJson>;
  /** Whole frames, in the order asked for. @throws Fault `too_large` beyond the limit */
  frames(instance: InstanceOfStudy, numbers: readonly number[]): Promise<ReadFrames>;
  /** @param uri as `metadata` gave it */
  bulkdata(instance: InstanceOfStudy, uri: string): Promise<BulkData>;
  /** The same as bytes. @throws Fault `too_large` beyond `most` of them */
  bytes(instance: InstanceOfStudy, uri: string, most: number): Promise<Uint8Array>;
}

export interface ReadFrames {
  transferSyntax: string;
  frames: Uint8Array[];
}

/** Bytes of all frames that are read for one answer. */
const MAX_FRAME_BYTES = 256 * 1024 * 1024;

export function studyReader(core: Reading, studyUid: string): StudyReader {
  const bulkdata = (instance: InstanceOfStudy, uri: string) =>
    core.bulkdata({ studyUid, ...instance }, uri.slice(Math.max(0, uri.indexOf('bulkdata/'))));
  return {
    studyUid,
    async instances(seriesUid) {
      const study = await core.study(studyUid, 'instance');
      const rows = study?.instances ?? [];
      if (seriesUid === undefined) return rows;
      return rows.filter((row) => text(row, Tag.SeriesInstanceUID) === seriesUid);
    },
    version: (instance) => core.version({ studyUid, ...instance }),
    async metadata(instance) {
      const [row] = await core.metadata({ studyUid, ...instance });
      if (!row) throw noSuchObject();
      return row;
    },
    async frames(instance, numbers) {
      const { transferSyntax, frames } = await core.frames({ studyUid, ...instance }, numbers);
      const read: Uint8Array[] = [];
      let bytes = 0;
      for await (const frame of frames) {
        read.push(frame);
        if ((bytes += frame.length) > MAX_FRAME_BYTES)
          throw new Fault('too_large', 'These frames are too large to be rendered at once; ask for fewer.');
      }
      if (read.length < numbers.length) throw noSuchObject();
      return { transferSyntax, frames: read };
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
