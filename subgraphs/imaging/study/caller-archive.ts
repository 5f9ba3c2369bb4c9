import type { Access } from '../../../schema/access/access.ts';
import { requireScope, type Coverage } from '../../../schema/access/scopes.ts';
import { Tag, text } from '../../../schema/dicom/dicom.ts';
import { copyWith } from '../../../schema/process/copy-with.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { allOf, andThen, orElse, type Awaitable } from '../../../schema/process/awaitable.ts';
import { CallerReach, type CallerReachOptions } from '../authorization/caller-reach.ts';
import { coveredBy, type Reach } from '../authorization/ownership.ts';
import { isLimited } from '../authorization/patient-keys.ts';
import { ReachedRows } from '../authorization/reached-rows.ts';
import type { WithholdingOptions } from '../authorization/withholding.ts';
import type { Rows } from '../cache/study-cache.ts';
import type { CountedBy, Level, StudyCount } from '../sources/source.ts';
import { TenantSource, type TenantSourceOptions } from '../cache/tenant-source.ts';
import type { TenantImages } from '../sources/open.ts';
import { studyRecord, studyRecords } from './study-records.ts';
import type {
  Detail,
  SearchResult,
  StudyFilter,
  StudyQuery,
  StudyRecord,
  WantedPatients,
} from './study-records.ts';
import type { StudyArchive } from './study.ts';
import { StudyDecision } from './study-decision.ts';

export type CallerArchiveOptions = CallerReachOptions & TenantSourceOptions & WithholdingOptions;

const ALL: ReadonlyMap<string, readonly string[]> = new Map();
const LEVELS: Record<Detail, readonly Level[]> = {
  study: ['study'],
  series: ['study', 'series'],
  instance: ['study', 'series', 'instance'],
};

/**
 * One archive restricted to an Access (IA-6 to IA-9); there is no other way to read the archive. `AuthorizedStudies`
 * documents what its methods throw.
 */
export class CallerArchive {
  readonly tenant: Tenant;
  readonly access: Access;
  /** Decides whether the caller may have a study, by its UID. */
  readonly decision: StudyDecision;
  readonly #source: TenantSource;
  readonly #caller: CallerReach;
  #reachedRows: ReachedRows | undefined;
  readonly #asked = new Map<string, Awaitable<readonly StudyRecord[]>>();

  /** @param options of the request, for all its sources */
  constructor(images: TenantImages, options: CallerArchiveOptions) {
    this.tenant = options.tenant;
    this.access = options.access;
    this.#source = new TenantSource(images, options);
    this.#caller = new CallerReach(options, images);
    this.decision = new StudyDecision(options, this.#source, this.#caller);
  }

  /** Finds the rows of lists, made when they are first needed: a retrieval has none. */
  get #reached(): ReachedRows {
    return (this.#reachedRows ??= new ReachedRows(this.#source, this.#caller));
  }

  /** Refuses with Fault `unavailable` while the tenant delays lookups (IA-19). */
  undelayed(): void {
    this.#source.undelayed('lookupUntil');
  }

  /** See `TenantSource.late`. */
  late(): void {
    this.#source.late();
  }

  /** Key of tenant and source in caches. */
  get key(): string {
    return this.#source.key;
  }

  async search(query: StudyQuery): Promise<SearchResult> {
    const coverage = this.#maySearch();
    const { patientIds, ...rest } = query;
    const reaches = await (query.studyUid === undefined ? this.#caller.all() : this.#caller.byUid());
    const named = patientIds?.filter((id) => id !== '' && id !== '*');
    // Rows that the source cannot leave out are dropped here before a page is counted.
    const ownPaging =
      !this.#reached.canPage(reaches, named) ||
      coverage.constraints !== undefined ||
      this.#source.config.matchBirthDate ||
      this.decision.mayWithhold ||
      isLimited(reaches);
    if (query.studyUid !== undefined) await this.decision.owned(query.studyUid, coverage);
    const uids = query.match.get(Tag.StudyInstanceUID);
    const { limit, offset = 0, ...unpaged } = rest;
    if (limit === 0 && !ownPaging) return { rows: [], more: false };

    const unshown = {
      ...unpaged,
      ...(!ownPaging && limit !== undefined && { limit: limit + 1 }),
      ...(!ownPaging && offset > 0 && { offset }),
    };
    const anew = uids !== undefined && this.decision.mayWithhold;
    const find = async () => {
      const found = await this.#reached.find(reaches, unshown, { named, anew });
      return this.decision.dropWithheld(await this.#covered(found, query.level, coverage), uids);
    };
    let rows = await (anew ? this.#source.withRefusalDelay(find, ({ length }) => length === 0) : find());
    if (uids !== undefined && rows.length === 0) await this.#source.throwIfAway();
    if (ownPaging) rows = rows.slice(offset);
    const page = rows.slice(0, limit);
    const more = limit !== undefined && rows.length > limit;
    return { rows: page, more, ...(reaches && { patients: this.#caller.ownersOf(page, reaches) }) };
  }

  studiesOf(patients: WantedPatients, filter: StudyFilter = {}): Awaitable<readonly StudyRecord[]> {
    const coverage = this.#maySearch();
    const { studyUids } = filter;
    const reaches = this.#reachesOf(patients);
    // A granular scope is decided by other attributes of a row.
    const asked =
      coverage.constraints && filter.onlyUids ? copyWith(filter, { onlyUids: undefined }) : filter;
    const found = andThen(reaches, (reaches) => this.#recordsOf(patients, reaches, asked));
    return andThen(found, (found) => {
      const records = coverage.constraints ? found.filter(({ study }) => coveredBy(study, coverage)) : found;
      if (!studyUids) return records;
      return records.filter(({ study }) => studyUids.includes(text(study, Tag.StudyInstanceUID)!));
    });
  }

  /** True if a search finds all studies of the source, whosesoever they are. @throws Fault as a search that is refused */
  get findsAll(): boolean {
    const { constraints } = this.#maySearch();
    return this.access.patients === 'all' && !constraints && !this.decision.mayWithhold;
  }

  /** Counts all studies by the values of an attribute; undefined if the caller does not find all, or the source has no index. */
  async counts(by: CountedBy): Promise<readonly StudyCount[] | undefined> {
    return this.findsAll ? this.#source.counts(by) : undefined;
  }

  #reachesOf(patients: WantedPatients): Awaitable<readonly Reach[] | undefined> {
    if (patients === undefined) return this.#caller.all();
    return typeof patients === 'string' ? this.#caller.of(patients) : this.#caller.ofSeveral(patients);
  }

  #recordsOf(
    patients: WantedPatients,
    reaches: readonly Reach[] | undefined,
    { detail = 'series', studyUids, owners, onlyUids }: StudyFilter,
  ): Awaitable<readonly StudyRecord[]> {
    // One patient has few studies, and a request asks for them repeatedly: all are fetched. Of all patients only the
    // named studies are fetched.
    const byUid = reaches === undefined && studyUids !== undefined;
    const question = JSON.stringify([patients, detail, byUid && studyUids, owners, onlyUids]);
    let asking = this.#asked.get(question);
    if (!asking) {
      asking = this.#records(patients, reaches, { detail, owners, onlyUids, ...(byUid && { studyUids }) });
      this.#asked.set(question, asking);
    }
    return asking;
  }

  /**
   * Asks for the studies and series of several patients at once, where that is fewer requests than one for each: of a
   * DICOMweb server. `studiesOf` then knows them.
   */
  async prefetch(patientIds: readonly string[]): Promise<void> {
    const { type, lookup } = this.#source.config;
    if (type !== 'dicom-web' || lookup !== 'studies-by-mrn') return;
    this.#maySearch();
    // A patient out of reach is refused by `studiesOf`.
    const reaches = await Promise.all(
      patientIds.map((id) =>
        orElse(
          () => this.#caller.of(id),
          () => undefined,
        ),
      ),
    );
    const known = reaches.filter((reach) => reach !== undefined);
    await Promise.all(
      LEVELS.series.map((level) => this.#reached.prefetch(known, { level, match: ALL, includeField: [] })),
    );
    const studies = await Promise.all(
      known.map(async (reach) => this.#reached.find(reach, { level: 'study', match: ALL, includeField: [] })),
    );
    await this.decision.prefetchCrossed(studies.flat().map((row) => text(row, Tag.StudyInstanceUID) ?? ''));
  }

  async study(studyUid: string, detail: Detail = 'series'): Promise<StudyRecord | undefined> {
    const study = await this.decision.find(studyUid, 'r', 'lookupUntil');
    if (typeof study === 'string') return undefined;
    const [series = [], instances] = await Promise.all(
      LEVELS[detail]
        .slice(1)
        .map((level) => this.#source.ask({ level, studyUid, match: ALL, includeField: [] })),
    );
    return studyRecord(await this.#caller.ownerOf(study, await this.#caller.all()), study, series, instances);
  }

  /**
   * Returns the instance rows of a study that the caller may have.
   * @param size number of instances that the row of the study states; 0 if it states none
   */
  async instancesOf(studyUid: string, size: number): Promise<Rows> {
    const query = { level: 'instance', studyUid, match: ALL, includeField: [] } as const;
    const rows = await this.#source.ask(query);
    return size === 0 || rows.length === size ? rows : this.#source.askFresh(query);
  }

  patientByIdentifier(value: string, system?: string): Promise<string> {
    return this.#caller.patientByIdentifier(value, system);
  }

  /** Makes the checks before every list; returns what the scopes cover. */
  #maySearch(): Coverage {
    const coverage = requireScope(this.access, 'ImagingStudy', 's');
    this.#source.undelayed('lookupUntil');
    return coverage;
  }

  /**
   * Opens a study that the caller may have (IA-23).
   * @throws Fault `not_found` if the caller may not have it, whatever the reason
   */
  async open(studyUid: string): Promise<StudyArchive> {
    const coverage = requireScope(this.access, 'ImagingStudy', 'r');
    this.#source.undelayed('retrieveUntil');
    const row = await this.decision.owned(studyUid, coverage);
    const patientId = async () => {
      const owner = await this.#caller.ownerOf(row, await this.#caller.all());
      return owner instanceof Fault ? undefined : owner;
    };
    return { source: this.#source, row, patientId };
  }

  /** True if one question in this process finds the studies of any number of patients. */
  get findsTogether(): boolean {
    const { type, lookup } = this.#source.config;
    return type === 'folder' && lookup === 'studies-by-mrn';
  }

  /** True if the source has at most one study for each UID. */
  get hasEachUidOnce(): boolean {
    return this.#source.config.type === 'folder';
  }

  /** Reads records; asks the source at most once for each level, however many studies there are. */
  #records(
    patients: WantedPatients,
    reaches: readonly Reach[] | undefined,
    { detail = 'series', studyUids, owners, onlyUids }: StudyFilter,
  ): Awaitable<readonly StudyRecord[]> {
    const match = studyUids ? new Map([[Tag.StudyInstanceUID as string, studyUids]]) : ALL;
    const { mayWithhold } = this.decision;
    const anew = studyUids !== undefined && mayWithhold;
    const asked = { match, includeField: [], ...(onlyUids && { onlyUids }) };
    const levels = allOf(LEVELS[detail], (level) =>
      this.#reached.find(reaches, { level, ...asked }, { anew }),
    );
    return andThen(levels, ([found = [], series = [], instances]) =>
      andThen(mayWithhold ? this.decision.dropWithheld(found, studyUids) : found, (studies) => {
        const [reach, ...others] = reaches ?? [];
        // If one patient is asked for, or only one is in reach, all studies are that patient's.
        const named = typeof patients === 'string' ? patients : undefined;
        const owner = named ?? (others.length === 0 ? reach?.grant.id : undefined);
        const records = (of: Parameters<typeof studyRecords>[1]) =>
          studyRecords({ studies, series, instances }, of);
        if (owner !== undefined || owners === false) return records(owner);
        return Promise.all(studies.map((study) => this.#caller.ownerOf(study, reaches))).then(records);
      }),
    );
  }

  /** Keeps the rows of studies that a granular scope covers. */
  async #covered(rows: Rows, level: Level, coverage: Coverage): Promise<Rows> {
    if (!coverage.constraints) return rows;
    if (level === 'study') return rows.filter((row) => coveredBy(row, coverage));
    const uids = [...new Set(rows.map((row) => text(row, Tag.StudyInstanceUID) ?? ''))];
    const allowed = await Promise.all(
      uids.map((uid) =>
        this.decision.owned(uid, coverage).then(
          () => uid,
          () => undefined,
        ),
      ),
    );
    return rows.filter((row) => allowed.includes(text(row, Tag.StudyInstanceUID)));
  }
}
