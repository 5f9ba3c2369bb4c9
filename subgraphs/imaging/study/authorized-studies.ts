import { requirePatient, type Access } from '../../../schema/access/access.ts';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { LoopTurns } from '../../../schema/process/event-loop.ts';
import type { Abortable } from '../../../schema/process/request-end.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { MetadataCache } from '../cache/metadata-cache.ts';
import type { CountedBy, StudyCount, Target } from '../sources/source.ts';
import { AuditTrail } from './audit-trail.ts';
import type { CallerArchive } from './caller-archive.ts';
import { countsOf, partsOf, unionOf } from './contents.ts';
import { Failover, isNotFound } from './failover.ts';
import { MergedLists } from './merged-lists.ts';
import { mergedRecord } from './merged-rows.ts';
import type { RecordHalvesOptions } from './record/record-halves.ts';
import { RecordJoin } from './record/record-join.ts';
import { StudyHolders, type StudyHoldersOptions } from './study-holders.ts';
import type {
  Detail,
  JoinedStudy,
  SearchResult,
  StudyFilter,
  StudyList,
  StudyQuery,
  StudyRecord,
  WantedPatients,
} from './study-records.ts';
import { Study } from './study.ts';

export interface AuthorizedStudiesOptions extends StudyHoldersOptions, RecordHalvesOptions {
  metadata: MetadataCache;
  /** Records the operations of the request (IA-30); undefined for questions that another operation asks. */
  audit: RecordOperation | undefined;
}

/** Opens the imaging core of one request. It records its operations if there is an `audit` (IA-30). */
export type OpenImaging = (
  tenant: Tenant,
  access: Access,
  over?: Abortable,
  audit?: RecordOperation,
) => AuthorizedStudies;

/**
 * The images of one tenant that one caller may see: the core that the GraphQL, FHIR and DICOMweb APIs call. Made per
 * request by `open`; remembers its questions for that request, and records every operation, allowed or denied (IA-30).
 *
 * All archives of the tenant are one (DW-18): one that fails does not hide the studies of others. Each is restricted to the
 * Access separately, and finds patients in its own way; the decision of one about a UID does not hold for another.
 *
 * Every method throws Fault: `insufficient_scope` without `ImagingStudy.s` (lists) or `.r` (reads); `forbidden` for a
 * named patient who is out of reach (IA-7); `not_found` for a UID that is unknown or out of reach, with the same bytes
 * for both; `bad_gateway` if the EHR did not say who the patient is; `unavailable` with `retryAfter` for a source that
 * is slow or delayed (IA-19); `not_implemented` for a source or option that is not built.
 */
export class AuthorizedStudies {
  readonly tenant: Tenant;
  readonly access: Access;
  readonly #archives: readonly CallerArchive[];
  readonly #options: AuthorizedStudiesOptions;
  readonly #trail: AuditTrail;
  readonly #holders: StudyHolders;
  readonly #failover: Failover;
  /** Studies of which something was retrieved, by UID. */
  readonly #studies = new Map<string, Study>();
  readonly #turns = new LoopTurns();
  /** True if this request has given a list. The first list does not wait for a turn of the event loop. */
  #hasListed = false;
  #mergedLists: MergedLists | undefined;
  #recordJoin: RecordJoin | undefined;

  constructor(archives: readonly CallerArchive[], options: AuthorizedStudiesOptions) {
    this.tenant = options.tenant;
    this.access = options.access;
    this.#archives = archives;
    this.#options = options;
    this.#trail = new AuditTrail(options.access, options.audit);
    this.#holders = new StudyHolders(archives, options);
    this.#failover = new Failover(options);
  }

  /**
   * Faults of sources that did not answer for studies which other sources gave; these studies may be incomplete
   * (DW-27).
   */
  get sourceFaults(): readonly Fault[] {
    const faults = [...this.#holders.unanswered, ...(this.#recordJoin?.faults ?? [])];
    // A source that fails is asked more than once: for a study, and for all studies with its accession number.
    const key = ({ code, message }: Fault) => `${code} ${message}`;
    const keys = faults.map(key);
    return faults.filter((fault, index) => keys.indexOf(key(fault)) === index);
  }

  /** Searches as QIDO-RS does (DW-1 to DW-4). The rows have no RetrieveURL: the API adds it. */
  async search(query: StudyQuery): Promise<SearchResult> {
    return this.#trail.searched(
      query,
      () => this.#lists.search(query),
      ({ patients = [] }) => patients,
    );
  }

  /**
   * Returns the studies of patients, newest first.
   * @param wanted `joined` adds what the clinical record says of these studies, and the studies that only the record has
   *   (IA-34). Without an answer of the archives it gives the record's, and their faults in `failed`.
   */
  list(
    patients: WantedPatients,
    { joined, ...filter }: StudyFilter & { joined?: true } = {},
  ): Awaitable<StudyList> {
    return this.#trail.searched(
      typeof patients === 'object' ? undefined : patients,
      () => (joined && this.#mayJoin ? this.#join.list(patients, filter) : this.#list(patients, filter)),
      ({ records, alone = [] }) => [...records, ...alone].map((one) => one.patientId),
    );
  }

  /**
   * Counts all studies of the caller by the values of an attribute, in the index of the one folder that has them. It is part
   * of a search that was recorded.
   * @returns undefined where they have to be looked at
   */
  async counts(by: CountedBy): Promise<readonly StudyCount[] | undefined> {
    return this.isOneFolder ? this.#archives[0]!.counts(by) : undefined;
  }

  /**
   * Asks for the studies of several patients at once, so that `list` of each of them in this request costs fewer
   * requests to the sources. It gives nothing and reports nothing, and is not recorded.
   */
  async prefetch(patientIds: readonly string[]): Promise<void> {
    // What a source does not answer now is asked and reported by `list`.
    const ofArchives = this.#archives.map((archive) => archive.prefetch(patientIds));
    const ofRecord = this.#mayJoin ? [this.#join.prefetch(patientIds)] : [];
    await Promise.allSettled([...ofArchives, ...ofRecord]);
  }

  /**
   * Returns one study; undefined if it is unknown or out of reach. Needs `.r`.
   * @param id Study Instance UID
   * @param wanted `joined` adds what the clinical record has of it, and takes the record's logical id too
   */
  find(
    id: string,
    { detail, joined }: { detail?: Detail; joined?: true } = {},
  ): Promise<JoinedStudy | undefined> {
    const found = async () => {
      if (joined) return this.#join.study(id, detail);
      const record = await this.#record(id, detail);
      return record && { record };
    };
    return this.#trail.found(id, found, ({ record, own }) => record?.patientId ?? own?.patientId);
  }

  /**
   * Returns the logical id of a patient in reach, named by it or by an identifier
   * (`patient.identifier=system|value`, IA-13).
   * @throws Fault `forbidden` for any other patient (IA-7)
   */
  patient(named: { id: string } | { identifier: { value: string; system?: string } }): Awaitable<string> {
    if ('id' in named) return this.#trail.checked(named.id, () => requirePatient(this.access, named.id).id);
    const { value, system } = named.identifier;
    return this.#trail.checked(undefined, () => this.#archives[0]!.patientByIdentifier(value, system));
  }

  /**
   * Runs work that reads pieces of a study, and records it as one retrieval of `part` of the target (IA-30). The first
   * piece passes the checks of a retrieval, for all of them.
   */
  read<T>(target: Target, part: string, work: (study: Study) => Promise<T>): Promise<T> {
    const study = this.#study(target.studyUid);
    return this.#trail.retrieved(target, part, { run: () => work(study), owner: () => study.patientId() });
  }

  /** True if a search finds all studies of the tenant, whosesoever they are. @throws Fault as a search that is refused */
  get findsAll(): boolean {
    return this.#archives.every((archive) => archive.findsAll);
  }

  /** True if one question in this process finds the studies of any number of patients. */
  get isLocal(): boolean {
    return this.#archives.every(({ findsTogether }) => findsTogether);
  }

  /** True for one folder of which nothing is withheld: the row of each study has everything that its series say of it. */
  get isOneFolder(): boolean {
    const [only, ...others] = this.#archives;
    return others.length === 0 && only !== undefined && only.hasEachUidOnce && !only.decision.mayWithhold;
  }

  #list(patients: WantedPatients, filter: StudyFilter): Awaitable<StudyList> {
    if (this.#hasListed) return this.#turns.next().then(() => this.#listNow(patients, filter));
    this.#hasListed = true;
    return this.#listNow(patients, filter);
  }

  #listNow(patients: WantedPatients, filter: StudyFilter): Awaitable<StudyList> {
    // There is nothing to merge and no study to leave out: the list stays the one that is kept with its rows.
    if (this.isOneFolder)
      return andThen(this.#archives[0]!.studiesOf(patients, filter), (records) => ({ records, failed: [] }));
    return this.#lists.studiesOf(patients, filter);
  }

  async #record(studyUid: string, detail: Detail | undefined): Promise<StudyRecord | undefined> {
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

  /** True if the clinical record may have studies. */
  get #mayJoin(): boolean {
    return this.#options.recordStudies?.mayHave(this.tenant) ?? false;
  }

  /** The lists of all archives, made when they are first needed. */
  get #lists(): MergedLists {
    return (this.#mergedLists ??= new MergedLists(
      { sources: this.#archives, holders: this.#holders, failover: this.#failover },
      this.#options,
    ));
  }

  /** The join with the clinical record, made when it is first needed. */
  get #join(): RecordJoin {
    return (this.#recordJoin ??= new RecordJoin(
      {
        sources: this.#archives,
        list: async (patients, filter) => this.#list(patients, filter),
        study: (studyUid, detail) => this.#record(studyUid, detail),
      },
      this.#options,
    ));
  }

  /** Returns a study; the same object for all of the request. */
  #study(studyUid: string): Study {
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
      rows: async () => (await this.#record(studyUid, 'instance'))?.instances ?? [],
      unanswered: holders.unanswered,
      failover: this.#failover,
      metadata: this.#options.metadata,
    });
    this.#studies.set(studyUid, study);
    return study;
  }
}
