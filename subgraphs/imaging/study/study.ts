import type { Readable } from 'node:stream';
import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import { RETRY_SECONDS } from '../../../schema/outbound/unreachable.ts';
import { copyWith } from '../../../schema/process/copy-with.ts';
import type { EncodedMetadata, MetadataCache } from '../cache/metadata-cache.ts';
import type { TenantSource } from '../cache/tenant-source.ts';
import { patientFingerprint, statedPatient } from '../facts/stated-patient.ts';
import { randomBoundary } from '../multipart/multipart.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import type { BulkData, Frames, InstanceTarget, StoredInstance, Target } from '../sources/source.ts';
import { primed } from '../sources/timeout.ts';
import { framesAs, objectsAs, relayAs } from '../sources/transcoding.ts';
import { partsOf, type Holding, type Part } from './contents.ts';
import { framesWithFailover, isNotFound, type Failover } from './failover.ts';
import { isNotAll, joinedInstances, notAll, onlyOf } from './joined-instances.ts';

/** A study, or one of its series or instances. */
export type PartOfStudy = Omit<Target, 'studyUid'>;

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

/** A multipart/related body, and the boundary of its parts. */
export interface Relayed {
  boundary: string;
  body: Readable;
}

/** One archive that has a study which the caller may retrieve (IA-23, IA-24). */
export interface StudyArchive {
  source: TenantSource;
  /** The row of the study, by which the caller was authorized. */
  row: DicomJson;
  /** Returns the logical id of the patient who owns it; undefined if the clinical base does not say it. */
  patientId(): Promise<string | undefined>;
}

/** Functions by which a study finds its archives and rows. */
export interface StudyOptions {
  /** Returns the archives that have it. @throws Fault `not_found` if the caller may not have it, whatever the reason */
  archives(): Promise<readonly Holding<StudyArchive>[]>;
  /** Lets `archives` ask every archive anew: one has not given what it lists. */
  doubt(): void;
  /** Returns its instance rows; none if the caller may not find it. */
  rows(): Promise<readonly DicomJson[]>;
  /** Faults of archives that did not answer for studies that others have. */
  unanswered: ReadonlySet<Fault>;
  failover: Failover;
  metadata: MetadataCache;
}

type Parts = readonly [Part<StudyArchive>, ...Part<StudyArchive>[]];

/**
 * A study, as one request reads it. The first piece that is read decides whether the caller may have it, and which
 * archives have it; further pieces need no other check. An archive that fails is replaced by another with the same
 * instances (DW-27). Only objects of the patient that the row of the study states are given (DW-26).
 *
 * Every method throws the faults of `AuthorizedStudies`.
 */
export class Study {
  readonly uid: string;
  readonly #options: StudyOptions;
  #archives: Promise<readonly Holding<StudyArchive>[]> | undefined;

  constructor(uid: string, options: StudyOptions) {
    this.uid = uid;
    this.#options = options;
  }

  /**
   * True if a copy has replaced an archive that failed (DW-27). Then a version read before may belong to another archive
   * than the bytes.
   */
  get usedCopy(): boolean {
    return this.#options.failover.usedCopy;
  }

  /** Returns the logical id of its patient; undefined if the clinical base does not say it to this caller. */
  async patientId(): Promise<string | undefined> {
    const [first] = await this.#holdings();
    return first?.source.patientId();
  }

  /** Returns the rows of the instances of one series or of all. */
  async instances(seriesUid?: string): Promise<readonly DicomJson[]> {
    const rows = await this.#options.rows();
    return seriesUid === undefined
      ? rows
      : rows.filter((row) => text(row, Tag.SeriesInstanceUID) === seriesUid);
  }

  /** Returns the version of a part, for caches and entity tags. */
  version(part: PartOfStudy): Promise<Version> {
    const target = { studyUid: this.uid, ...part };
    const versionIn = (asked: Target) => async (archive: StudyArchive) =>
      versionOf(archive, await archive.source.version(own(asked, archive)));
    return this.#read(target, async (parts) => {
      if (parts.length === 1) return this.#from(parts[0], versionIn(target));
      const versions = await Promise.all(parts.map((one) => this.#from(one, versionIn(one.target))));
      const stamps = versions.map(({ stamp }) => stamp);
      return {
        source: versions.map(({ source }) => source).join('\n'),
        patient: versions.map(({ patient }) => patient).join('\n'),
        stamp: stamps.every((stamp) => stamp !== undefined) ? JSON.stringify(stamps) : undefined,
      };
    });
  }

  /** Returns the metadata of one instance. */
  metadata(one: InstanceOfStudy): Promise<ObjectMetadata> {
    const target = { studyUid: this.uid, ...one };
    return this.#readOne(target, async (archive) => (await loadMetadata(archive, target))[0]!);
  }

  /** Returns the metadata of every instance of a part, in order (DW-6). */
  encodedMetadata(part: PartOfStudy): Promise<EncodedMetadata> {
    const target = { studyUid: this.uid, ...part };
    return this.#read(target, async (parts) => {
      if (parts[0].instances.size === 0)
        return this.#from(parts[0], (archive) =>
          this.#encoded(target, [archive], () => loadMetadata(archive, target)),
        );
      const load = async () => (await Promise.all(parts.map((one) => this.#metadataOf(one)))).flat();
      const [first, ...others] = parts;
      return this.#encoded(target, [first.sources[0], ...others.map(({ sources }) => sources[0])], load);
    });
  }

  /** Returns kept metadata, or loads them for all callers. @param archives that give them */
  async #encoded(
    target: Target,
    archives: readonly [StudyArchive, ...StudyArchive[]],
    load: () => Promise<ObjectMetadata[]>,
  ): Promise<EncodedMetadata> {
    const { metadata } = this.#options;
    const [first] = archives;
    const wanted = own(target, first);
    const version = archives.map((archive) => this.#metadataVersion(archive)).join('\n');
    return metadata.kept(version, wanted) ?? first.source.shared(metadata.of(version, wanted, load));
  }

  /** @throws Fault `bad_gateway` if the archive does not give the metadata of all instances of the part */
  async #metadataOf(part: Part<StudyArchive>): Promise<ObjectMetadata[]> {
    const found = await this.#from(part, (archive) => loadMetadata(archive, part.target));
    const wanted = found.filter(({ sopInstanceUid }) => part.instances.has(sopInstanceUid ?? ''));
    if (wanted.length < part.instances.size) throw notAll(part.instances.size - wanted.length);
    return wanted;
  }

  /** Names tenant, source and study, and changes when the study has another number of instances, or another patient. */
  #metadataVersion({ source, row }: StudyArchive): string {
    const count = text(row, Tag.NumberOfStudyRelatedInstances);
    return [source.key, this.uid, count, patientFingerprint(row)].join('\n');
  }

  /** Returns every instance of a part, as stored (`*`) or in the transfer syntax. */
  objects(part: PartOfStudy, transferSyntax: string): Promise<AsyncIterable<StoredInstance>> {
    const target = { studyUid: this.uid, ...part };
    const joinedFrom = (one: Part<StudyArchive>) => async (archive: StudyArchive) =>
      joinedInstances([
        objectsFrom(archive, one.target, transferSyntax).then((found) =>
          onlyOf(found, one.instances, () => this.#doubt()),
        ),
      ]);
    return this.#read(target, (parts) =>
      parts[0].instances.size === 0
        ? this.#from(parts[0], (archive) => objectsFrom(archive, target, transferSyntax))
        : joinedInstances(parts.map((one) => this.#from(one, joinedFrom(one)))),
    );
  }

  /**
   * Returns the same as one multipart/related body; undefined if the archive gives it only part by part, or if it is
   * compared with the lists of several archives.
   */
  async relay(part: PartOfStudy, transferSyntax: string): Promise<Relayed | undefined> {
    const target = { studyUid: this.uid, ...part };
    const [first] = await this.#parts(target);
    if (first.instances.size > 0 && part.instanceUid === undefined) return undefined;
    return this.#readOne(target, (archive) => relayFrom(archive, target, transferSyntax));
  }

  /** Returns frames. @param numbers from 1 */
  frames(one: InstanceOfStudy, numbers: readonly number[]): Promise<VersionedFrames> {
    const target = { studyUid: this.uid, ...one };
    const get = (archive: StudyArchive) => framesFrom(archive, target, numbers);
    return this.#read(target, ([part]) =>
      this.#from(part, async (archive, others) => {
        const given = await get(archive);
        if (others.length === 0) return given;
        const other = () => this.#options.failover.instead(others, get);
        return { ...given, frames: framesWithFailover(given, other) };
      }),
    );
  }

  /** Returns a large value. @param path the part after the instance's URL, `bulkdata/…` */
  bulkdata(one: InstanceOfStudy, path: string): Promise<BulkData> {
    const target = { studyUid: this.uid, ...one };
    return this.#readOne(target, (archive) => {
      const wanted = own(target, archive);
      return archive.source.retrieve(['bulkdata', wanted, path], ({ source }, signal) =>
        source.bulkdata(wanted, path, signal),
      );
    });
  }

  /** Reads what one archive gives as a whole. */
  #readOne<T>(target: Target, get: (archive: StudyArchive) => Promise<T>): Promise<T> {
    return this.#read(target, ([part]) => this.#from(part, get));
  }

  /**
   * Reads a target as the archives list it; once more by new lists if one does not give what it lists.
   * @throws the fault of an archive that does not answer, for what it may have and no other archive has
   */
  async #read<T>(target: Target, read: (parts: Parts) => Promise<T>): Promise<T> {
    const parts = await this.#parts(target);
    try {
      return await read(parts);
    } catch (error) {
      const [away] = this.#options.unanswered;
      if (away && isNotFound(error)) throw away;
      if (parts[0].instances.size === 0 || !(isNotFound(error) || isNotAll(error))) throw error;
      this.#doubt();
      return read(await this.#parts(target));
    }
  }

  #doubt(): void {
    this.#options.doubt();
    this.#archives = undefined;
  }

  /** Returns the archives that have the study, asked once until one is doubted. */
  #holdings(): Promise<readonly Holding<StudyArchive>[]> {
    return (this.#archives ??= this.#options.archives());
  }

  /** Divides a target among the archives. */
  async #parts(target: Target): Promise<Parts> {
    const holdings = await this.#holdings();
    const [part, ...others] = holdings.length > 1 ? partsOf(target, holdings) : [];
    if (part) return [part, ...others];
    const [first, ...rest] = holdings.map(({ source }) => source);
    return [{ target, instances: new Set(), sources: [first!, ...rest] }];
  }

  /**
   * Reads a part from one archive that has it. An instance that no archive lists is asked of each: it may be new.
   * @param get reads from an archive; it is also given the archives that replace this one if it fails
   */
  async #from<T>(
    { sources, instances }: Part<StudyArchive>,
    get: (archive: StudyArchive, others: readonly StudyArchive[]) => Promise<T>,
  ): Promise<T> {
    if (instances.size > 0 || sources.length === 1) return this.#options.failover.first(sources, get);
    let refused: unknown;
    for (const archive of sources) {
      try {
        return await get(archive, []);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        refused = error;
      }
    }
    throw refused;
  }
}

/** Adds the patient that the row of the study states. */
const own = <T extends Target>(target: T, { row }: StudyArchive) =>
  copyWith(target, { patient: statedPatient(row) });

const versionOf = ({ source, row }: StudyArchive, stamp: string | undefined): Version => ({
  source: source.key,
  patient: patientFingerprint(row),
  stamp,
});

/** Loads metadata. Loading for the cache does not end with this request; metadata of one instance are not cached. */
async function loadMetadata(archive: StudyArchive, target: Target): Promise<ObjectMetadata[]> {
  const wanted = own(target, archive);
  const found = await (target.instanceUid === undefined
    ? archive.source.load((source) => source.metadata(wanted))
    : archive.source.retrieve(['metadata', wanted], ({ source }, signal) => source.metadata(wanted, signal)));
  if (found.length === 0) throw noSuchObject();
  return found;
}

async function objectsFrom(
  archive: StudyArchive,
  target: Target,
  transferSyntax: string,
): Promise<AsyncIterable<StoredInstance>> {
  const wanted = own(target, archive);
  const found = await archive.source.retrieve(['instances', wanted, transferSyntax], (opened, signal) =>
    primed(unattended(objectsAs(opened, wanted, { transferSyntax, signal }))),
  );
  if (!found) throw noSuchObject();
  return found;
}

async function relayFrom(
  archive: StudyArchive,
  target: Target,
  transferSyntax: string,
): Promise<Relayed | undefined> {
  const wanted = own(target, archive);
  const what = ['relay', wanted, transferSyntax] as const;
  const relayed = await archive.source.retrieve(what, async ({ source }, signal) => {
    const boundary = randomBoundary();
    const body = await relayAs(source, wanted, { transferSyntax, boundary, signal });
    return body && { boundary, body: body.on('error', () => undefined) };
  });
  // A relay that was kept for this request may have ended meanwhile.
  if (relayed?.body.destroyed) {
    const details = { service: 'imaging', retryAfter: RETRY_SECONDS, cause: relayed.body.errored } as const;
    throw new Fault('unavailable', 'The image archive broke off; ask again.', details);
  }
  return relayed;
}

function framesFrom(
  archive: StudyArchive,
  target: InstanceTarget,
  numbers: readonly number[],
): Promise<VersionedFrames> {
  const wanted = own(target, archive);
  return archive.source.retrieve(['frames', wanted, numbers], async (opened, signal) => {
    const { source } = opened;
    // Before the frames, which may change in between: an older version only costs another retrieval.
    const before = source.stampsFrames ? undefined : await source.version?.(wanted, signal);
    const frames = await framesAs(opened, wanted, { numbers, signal });
    return { ...frames, version: versionOf(archive, frames.stamp ?? before) };
  });
}

/**
 * Keeps errors of unread instances from ending the process: they are closed unread (IA-27). A reader still gets its
 * error.
 */
async function* unattended(instances: AsyncIterable<StoredInstance>): AsyncGenerator<StoredInstance> {
  for await (const instance of instances) {
    instance.stream.on('error', () => undefined);
    yield instance;
  }
}
