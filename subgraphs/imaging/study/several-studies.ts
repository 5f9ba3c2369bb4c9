import { requirePatient, type Access } from '../../../schema/access/access.ts';
import { LoopTurns } from '../../../schema/process/event-loop.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import type { MetadataCache } from '../cache/metadata-cache.ts';
import { countsOf, partsOf, unionOf } from './contents.ts';
import { Failover, isNotFound } from './failover.ts';
import { MergedLists } from './merged-lists.ts';
import { mergedRecord } from './merged-rows.ts';
import type { StudyQuery } from './study-query.ts';
import { RecordJoin } from './record/record-join.ts';
import type { RecordHalvesOptions } from './record/record-halves.ts';
import type { RestrictedStudies } from './restricted-studies.ts';
import type { Target } from '../sources/source.ts';
import type { Detail, Imaging, SearchResult, StudyFilter, StudyList, StudyRecord } from './studies.ts';
import { StudyHolders, type SeveralStudiesOptions } from './study-holders.ts';
import { Study } from './study.ts';

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
  readonly #metadata: MetadataCache;
  /** Studies of which something was retrieved, by UID. */
  readonly #studies = new Map<string, Study>();
  readonly #turns = new LoopTurns();
  /** True if this request has given a list. The first list does not wait for a turn of the event loop. */
  #hasListed = false;

  constructor(
    sources: readonly RestrictedStudies[],
    options: SeveralStudiesOptions & RecordHalvesOptions & { metadata: MetadataCache },
  ) {
    this.tenant = options.tenant;
    this.access = options.access;
    this.#sources = sources;
    this.#holders = new StudyHolders(sources, options);
    this.#failover = new Failover(options);
    this.#metadata = options.metadata;
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

  read<T>(target: Target, _part: string, work: (study: Study) => Promise<T>): Promise<T> {
    return work(this.#studyOf(target));
  }

  /** Returns the study of a target; the same object for all of the request. */
  #studyOf({ studyUid }: Target): Study {
    const known = this.#studies.get(studyUid);
    if (known) return known;
    const holders = this.#holders;
    const study = new Study(studyUid, {
      async archives() {
        const holdings = await holders.of(studyUid, 'r', 'retrieveUntil');
        return Promise.all(
          holdings.map(async ({ source, contents }) => ({ source: await source.open(studyUid), contents })),
        );
      },
      doubt: () => holders.doubt(studyUid),
      rows: async () => (await this.study(studyUid, 'instance'))?.instances ?? [],
      unanswered: holders.unanswered,
      failover: this.#failover,
      metadata: this.#metadata,
    });
    this.#studies.set(studyUid, study);
    return study;
  }
}
