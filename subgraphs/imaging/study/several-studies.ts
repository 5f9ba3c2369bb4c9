import { requirePatient, type Access } from '../../../schema/access/access.ts';
import { LoopTurns } from '../../../schema/process/event-loop.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { EncodedMetadata } from '../cache/metadata-cache.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import { countsOf, partsOf, unionOf, type Part } from './contents.ts';
import { Failover, framesWithFailover, isNotFound } from './failover.ts';
import { isNotAll, joinedInstances, notAll, onlyOf } from './joined-instances.ts';
import { MergedLists } from './merged-lists.ts';
import { mergedRecord } from './merged-rows.ts';
import type { StudyQuery } from './study-query.ts';
import type { OpenStudy } from './open-study.ts';
import { RecordJoin } from './record/record-join.ts';
import type { RecordHalvesOptions } from './record/record-halves.ts';
import type { RestrictedStudies } from './restricted-studies.ts';
import type { InstanceTarget, StoredInstance, Target } from '../sources/source.ts';
import type { Detail, Imaging, SearchResult, StudyFilter, StudyList, StudyRecord } from './studies.ts';
import { StudyHolders, type SeveralStudiesOptions } from './study-holders.ts';
import type { Reading, Version, VersionedFrames } from './study-reader.ts';

type Parts = readonly [Part<RestrictedStudies>, ...Part<RestrictedStudies>[]];

/**
 * All image sources of a tenant as one (DW-18). Each source is restricted to the Access separately, and finds patients
 * in its own way. The decision of one source about a UID does not hold for another source.
 */
export class SeveralStudies implements Imaging {
  readonly tenant: Tenant;
  readonly access: Access;
  readonly #sources: readonly RestrictedStudies[];
  readonly #holders: StudyHolders;
  readonly #join: RecordJoin;
  readonly #lists: MergedLists;
  readonly #failover: Failover;
  readonly #turns = new LoopTurns();
  /** True if this request has given a list. The first list does not wait for a turn of the event loop. */
  #hasListed = false;

  constructor(sources: readonly RestrictedStudies[], options: SeveralStudiesOptions & RecordHalvesOptions) {
    this.tenant = options.tenant;
    this.access = options.access;
    this.#sources = sources;
    this.#holders = new StudyHolders(sources, options);
    this.#failover = new Failover(options);
    this.#lists = new MergedLists({ sources, holders: this.#holders, failover: this.#failover }, options);
    const list = (...asked: Parameters<Imaging['studiesOf']>) => this.studiesOf(...asked);
    const study = (...asked: Parameters<Imaging['study']>) => this.study(...asked);
    this.#join = new RecordJoin({ sources, list, study }, options);
  }

  get sourceFaults(): readonly Fault[] {
    const faults = [...this.#holders.unanswered, ...this.#join.faults];
    // A source that fails is asked more than once: for a study, and for all studies with its accession number.
    const key = ({ code, message }: Fault) => `${code} ${message}`;
    const keys = faults.map(key);
    return faults.filter((fault, index) => keys.indexOf(key(fault)) === index);
  }

  get usedCopy(): boolean {
    return this.#failover.usedCopy;
  }

  search(query: StudyQuery): Promise<SearchResult> {
    return this.#lists.search(query);
  }

  async prefetch(patientIds: readonly string[]): Promise<void> {
    // What a source does not answer now is asked and reported by `studiesOf`.
    const ofArchives = this.#sources.map((source) => source.prefetch(patientIds));
    await Promise.allSettled([...ofArchives, this.#join.prefetch(patientIds)]);
  }

  studiesOf(patientId: string | undefined, filter?: StudyFilter): Awaitable<StudyList> {
    if (this.#hasListed) return this.#turns.next().then(() => this.#listed(patientId, filter));
    this.#hasListed = true;
    return this.#listed(patientId, filter);
  }

  #listed(patientId: string | undefined, filter: StudyFilter | undefined): Awaitable<StudyList> {
    const only = this.#sources.length === 1 ? this.#sources[0]! : undefined;
    // There is nothing to merge and no study to leave out: the list stays the one that is kept with its rows.
    if (only?.hasEachUidOnce && !only.lookup.mayWithhold)
      return andThen(only.studiesOf(patientId, filter), (records) => ({ records, failed: [] }));
    return this.#lists.studiesOf(patientId, filter);
  }

  async study(studyUid: string, detail?: Detail): Promise<StudyRecord | undefined> {
    await this.#turns.next();
    try {
      const holdings = await this.#holders.of(studyUid, 'r', 'lookupUntil');
      const parts = holdings.length > 1 ? partsOf({ studyUid }, holdings) : [];
      const [part = { sources: holdings.map(({ source }) => source) }] = parts;
      if (parts.length < 2)
        return await this.#failover.first(part.sources, (one) => one.study(studyUid, detail));
      const records = await Promise.all(holdings.map(({ source }) => source.study(studyUid, detail)));
      const known = records.filter((one) => one !== undefined);
      const [first, ...others] = known;
      return (
        first && mergedRecord([first, ...others], countsOf(unionOf(holdings.map((one) => one.contents))))
      );
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  joinedStudiesOf(patientId: string | undefined, filter: StudyFilter = {}): Awaitable<StudyList> {
    return this.#join.list(patientId, filter);
  }

  joinedStudy(id: string, detail?: Detail) {
    return this.#join.study(id, detail);
  }

  patientById(id: string): string {
    return requirePatient(this.access, id).id;
  }

  patientByIdentifier(value: string, system?: string): Promise<string> {
    return this.#sources[0]!.patientByIdentifier(value, system);
  }

  metadata(target: InstanceTarget) {
    return this.#opened(target, (study) => study.metadata(target));
  }

  encodedMetadata(target: Target): Promise<EncodedMetadata> {
    return this.#planned(target, async (parts) => {
      const [part] = parts;
      if (part.instances.size === 0) return this.#openPart(part, (study) => study.encodedMetadata(target));
      const studies = await Promise.all(parts.map((one) => this.#openPart(one, async (study) => study)));
      const load = async () => (await Promise.all(parts.map((one) => this.#metadataOf(one)))).flat();
      const version = studies.map((study) => study.metadataVersion(target)).join('\n');
      return studies[0]!.encodedMetadata(target, { version, load });
    });
  }

  /** @throws Fault `bad_gateway` if the archive does not give the metadata of all instances of the part */
  async #metadataOf(part: Part<RestrictedStudies>): Promise<ObjectMetadata[]> {
    const found = await this.#openPart(part, (study) => study.loadMetadata(part.target));
    const wanted = found.filter(({ sopInstanceUid }) => part.instances.has(sopInstanceUid ?? ''));
    if (wanted.length < part.instances.size) throw notAll(part.instances.size - wanted.length);
    return wanted;
  }

  retrieve(target: Target, transferSyntax: string): Promise<AsyncIterable<StoredInstance>> {
    const doubt = () => this.#holders.doubt(target.studyUid);
    const instancesOf =
      ({ target: own, instances }: Part<RestrictedStudies>) =>
      async (study: OpenStudy) =>
        joinedInstances([
          study.retrieve(own, transferSyntax).then((found) => onlyOf(found, instances, doubt)),
        ]);
    return this.#planned(target, (parts) =>
      parts[0].instances.size === 0
        ? this.#openPart(parts[0], (study) => study.retrieve(target, transferSyntax))
        : joinedInstances(parts.map((part) => this.#openPart(part, instancesOf(part)))),
    );
  }

  /** Undefined for what is compared with the lists of several archives. */
  async relay(target: Target, transferSyntax: string) {
    const [part] = await this.#parts(target);
    if (part.instances.size > 0 && target.instanceUid === undefined) return undefined;
    return this.#opened(target, (study) => study.relay(target, transferSyntax));
  }

  frames(target: InstanceTarget, numbers: readonly number[]) {
    const get = async (source: RestrictedStudies): Promise<VersionedFrames> =>
      (await source.open(target.studyUid)).frames(target, numbers);
    return this.#planned(target, ([part]) =>
      this.#ofPart(part, async (source, others) => {
        const given = await get(source);
        if (others.length === 0) return given;
        const other = () => this.#failover.instead(others, get);
        return { ...given, frames: framesWithFailover(given, other) };
      }),
    );
  }

  bulkdata(target: InstanceTarget, path: string) {
    return this.#opened(target, (study) => study.bulkdata(target, path));
  }

  version(target: Target): Promise<Version> {
    return this.#planned(target, async (parts) => {
      if (parts.length === 1) return this.#openPart(parts[0], (study) => study.version(target));
      const versions = await Promise.all(
        parts.map((part) => this.#openPart(part, (study) => study.version(part.target))),
      );
      const stamps = versions.map(({ stamp }) => stamp);
      return {
        source: versions.map(({ source }) => source).join('\n'),
        patient: versions.map(({ patient }) => patient).join('\n'),
        stamp: stamps.every((stamp) => stamp !== undefined) ? JSON.stringify(stamps) : undefined,
      };
    });
  }

  reading<T>(_target: Target, _part: string, work: (core: Reading) => Promise<T>): Promise<T> {
    return work(this);
  }

  #opened<T>(target: Target, get: (study: OpenStudy) => Promise<T>): Promise<T> {
    return this.#planned(target, ([part]) => this.#openPart(part, get));
  }

  /**
   * Reads a target as the archives list it; once more by new lists if one does not give what it lists.
   * @throws the fault of an archive that does not answer, for what it may have and no other archive has
   */
  async #planned<T>(target: Target, read: (parts: Parts) => Promise<T>): Promise<T> {
    const parts = await this.#parts(target);
    try {
      return await read(parts);
    } catch (error) {
      const [away] = this.#holders.unanswered;
      if (away && isNotFound(error)) throw away;
      if (parts[0].instances.size === 0 || !(isNotFound(error) || isNotAll(error))) throw error;
      this.#holders.doubt(target.studyUid);
      return read(await this.#parts(target));
    }
  }

  #openPart<T>(part: Part<RestrictedStudies>, get: (study: OpenStudy) => Promise<T>): Promise<T> {
    return this.#ofPart(part, async (source) => get(await source.open(part.target.studyUid)));
  }

  /** Divides a target among the sources. @throws Fault as `StudyHolders.of` does */
  async #parts(target: Target): Promise<Parts> {
    const holdings = await this.#holders.of(target.studyUid, 'r', 'retrieveUntil');
    const [part, ...others] = holdings.length > 1 ? partsOf(target, holdings) : [];
    if (part) return [part, ...others];
    const [first, ...rest] = holdings.map(({ source }) => source);
    return [{ target, instances: new Set(), sources: [first!, ...rest] }];
  }

  /**
   * Reads a part from one source that has it. An instance that no source lists is asked of each: it may be new.
   * @param get reads from a source; it is also given the sources that replace this one if it fails
   */
  async #ofPart<T>(
    { sources, instances }: Part<RestrictedStudies>,
    get: (source: RestrictedStudies, others: readonly RestrictedStudies[]) => Promise<T>,
  ): Promise<T> {
    if (instances.size > 0 || sources.length === 1) return this.#failover.first(sources, get);
    let refused: unknown;
    for (const source of sources) {
      try {
        return await get(source, []);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        refused = error;
      }
    }
    throw refused;
  }
}
