import { Tag, text, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { RETRY_SECONDS } from '../../../schema/outbound/unreachable.ts';
import { copyWith } from '../../../schema/process/copy-with.ts';
import type { EncodedMetadata, MetadataCache } from '../cache/metadata-cache.ts';
import { randomBoundary } from '../multipart/multipart.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import { patientFingerprint, statedPatient } from '../facts/of-patients.ts';
import { primed } from '../sources/timeout.ts';
import { framesAs, objectsAs, relayAs } from '../sources/transcoding.ts';
import type { BulkData, InstanceTarget, StoredInstance, Target } from '../sources/source.ts';
import type { TenantSource } from '../cache/tenant-source.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import type { Relayed } from './studies.ts';
import type { Version, VersionedFrames } from './study-reader.ts';

/**
 * A study of one source that this caller may retrieve; reading it needs no further check (IA-23, IA-24). Gives only
 * objects of the patient that its row states (DW-26). `studies.ts` documents the methods.
 */
export class OpenStudy {
  readonly #row: DicomJson;
  readonly #source: TenantSource;
  readonly #metadata: MetadataCache;

  /** @param row the study's row, by which the caller was authorized */
  constructor(row: DicomJson, source: TenantSource, metadata: MetadataCache) {
    this.#row = row;
    this.#source = source;
    this.#metadata = metadata;
  }

  async metadata(target: InstanceTarget): Promise<ObjectMetadata> {
    const [found] = await this.loadMetadata(target);
    return found!;
  }

  /** @param joined version and loading of a target of which this archive has a part; the archives are then several */
  async encodedMetadata(
    target: Target,
    joined?: { version: string; load: () => Promise<ObjectMetadata[]> },
  ): Promise<EncodedMetadata> {
    const own = this.#own(target);
    const version = joined?.version ?? this.metadataVersion(target);
    const load = joined?.load ?? ((wanted: Target) => this.loadMetadata(wanted));
    return this.#metadata.kept(version, own) ?? this.#source.shared(this.#metadata.of(version, own, load));
  }

  /** Names tenant, source and study, and changes when the study has another number of instances, or another patient. */
  metadataVersion({ studyUid }: Target): string {
    const count = text(this.#row, Tag.NumberOfStudyRelatedInstances);
    return [this.#source.key, studyUid, count, patientFingerprint(this.#row)].join('\n');
  }

  /** Loads metadata. Loading for the cache does not end with this request; metadata of one instance are not cached. */
  async loadMetadata(wanted: Target): Promise<ObjectMetadata[]> {
    const target = this.#own(wanted);
    const isOne = target.instanceUid !== undefined;
    const found = await (isOne
      ? this.#source.retrieve(['metadata', target], ({ source }, signal) => source.metadata(target, signal))
      : this.#source.load((source) => source.metadata(target)));
    if (found.length === 0) throw noSuchObject();
    return found;
  }

  async retrieve(target: Target, transferSyntax: string): Promise<AsyncIterable<StoredInstance>> {
    const own = this.#own(target);
    const opened = await this.#source.retrieve(['instances', own, transferSyntax], (opened, signal) =>
      primed(unattended(objectsAs(opened, own, { transferSyntax, signal }))),
    );
    if (!opened) throw noSuchObject();
    return opened;
  }

  async relay(target: Target, transferSyntax: string): Promise<Relayed | undefined> {
    const own = this.#own(target);
    const relayed = await this.#source.retrieve(
      ['relay', own, transferSyntax],
      async ({ source }, signal) => {
        const boundary = randomBoundary();
        const body = await relayAs(source, own, { transferSyntax, boundary, signal });
        return body && { boundary, body: body.on('error', () => undefined) };
      },
    );
    // A relay that was kept for this request may have ended meanwhile.
    if (relayed?.body.destroyed) {
      const details = { service: 'imaging', retryAfter: RETRY_SECONDS, cause: relayed.body.errored } as const;
      throw new Fault('unavailable', 'The image archive broke off; ask again.', details);
    }
    return relayed;
  }

  async frames(target: InstanceTarget, numbers: readonly number[]): Promise<VersionedFrames> {
    const own = this.#own(target);
    return this.#source.retrieve(['frames', own, numbers], async (opened, signal) => {
      const { source } = opened;
      // Before the frames, which may change in between: an older version only costs another retrieval.
      const before = source.stampsFrames ? undefined : await source.version?.(own, signal);
      const frames = await framesAs(opened, own, { numbers, signal });
      return { ...frames, version: this.#versionWith(frames.stamp ?? before) };
    });
  }

  async bulkdata(target: InstanceTarget, path: string): Promise<BulkData> {
    const own = this.#own(target);
    return this.#source.retrieve(['bulkdata', own, path], ({ source }, signal) =>
      source.bulkdata(own, path, signal),
    );
  }

  /** Returns the version of the target, for caches and entity tags. */
  async version(target: Target): Promise<Version> {
    return this.#versionWith(await this.#source.version(this.#own(target)));
  }

  #versionWith(stamp: string | undefined): Version {
    return { source: this.#source.key, patient: patientFingerprint(this.#row), stamp };
  }

  /** Adds the patient that the study's row states. */
  #own<T extends Target>(target: T) {
    return copyWith(target, { patient: statedPatient(this.#row) });
  }
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
