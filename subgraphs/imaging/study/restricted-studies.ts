import { requirePatient, type Access } from '../../../schema/access/access.ts';
import { Tag, text, UID, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { requireScope, type Coverage } from '../../../schema/access/scopes.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { RETRY_SECONDS } from '../../../schema/outbound/unreachable.ts';
import { CallerReach, type CallerReachOptions } from '../authorization/caller-reach.ts';
import type { EncodedMetadata, MetadataCache } from '../cache/metadata-cache.ts';
import { randomBoundary } from '../multipart/multipart.ts';
import { noSuchObject } from '../../../schema/fault/refusals.ts';
import { coveredBy, type Reach } from '../authorization/ownership.ts';
import type { ObjectMetadata } from '../parsing/object-metadata.ts';
import { isLimited } from '../authorization/patient-keys.ts';
import { primed } from '../sources/patience.ts';
import type { StudyQuery } from './study-query.ts';
import { ReachedRows } from '../authorization/reached-rows.ts';
import { patientAsSaid, statedPatient } from '../facts/of-patients.ts';
import type {
  BulkData,
  Frames,
  ImagingSource,
  InstanceTarget,
  Level,
  SourceQuery,
  StoredInstance,
  Target,
} from '../sources/source.ts';
import type { Detail, Relayed, SearchResult, StudyFilter, StudyRecord } from './studies.ts';
import type { Order } from '../authorization/directory.ts';
import { OWNER_TTL } from '../cache/study-cache.ts';
import type { Version } from './study-reader.ts';
import { byStudy, chunked, newestFirst } from '../facts/study-rows.ts';
import { TenantSource, type Memory, type TenantSourceOptions } from '../cache/tenant-source.ts';
import { Withholding, type WithholdingOptions } from '../authorization/withhold.ts';

export type RestrictedStudiesOptions = CallerReachOptions &
  TenantSourceOptions &
  WithholdingOptions & { metadata: MetadataCache };

/**
 * What a source has of a study that is asked for by its UID: its row, nothing, somebody else's, one that the caller's
 * scopes do not cover, or one that the tenant withholds.
 */
export type Claim = DicomJson | 'absent' | 'foreign' | 'uncovered' | 'withheld';

const ALL: ReadonlyMap<string, readonly string[]> = new Map();
const LEVELS: Record<Detail, readonly Level[]> = {
  study: ['study'],
  series: ['study', 'series'],
  instance: ['study', 'series', 'instance'],
};

/**
 * One image source behind an Access (IA-5 to IA-9): nothing of it can be had in any other way. `studies.ts` says what the
 * methods promise.
 */
export class RestrictedStudies {
  readonly tenant: Tenant;
  readonly access: Access;
  /** Studies that were found and are withheld (IA-31), of all that this request has asked. */
  readonly withheld = new Set<string>();
  private readonly source: TenantSource;
  private readonly caller: CallerReach;
  private readonly reached: ReachedRows;
  private readonly withholding: Withholding;
  private readonly metadataCache: MetadataCache;
  private readonly asked = new Map<string, Promise<StudyRecord[]>>();
  private readonly judgements = new Map<string, Promise<Claim>>();

  constructor(options: RestrictedStudiesOptions) {
    this.tenant = options.tenant;
    this.access = options.access;
    this.source = new TenantSource(options);
    this.caller = new CallerReach(options, options.images);
    this.reached = new ReachedRows(this.source, this.caller);
    this.metadataCache = options.metadata;
    this.withholding = new Withholding(options, this.key, (studyUids) => this.seriesOf(studyUids));
  }

  /** Names tenant and source in caches. */
  get key(): string {
    return this.source.key;
  }

  async search(query: StudyQuery): Promise<SearchResult> {
    const coverage = this.maySearch();
    const { patientIds, ...rest } = query;
    const reaches = await (query.studyUid === undefined ? this.caller.all() : this.caller.byUid());
    const named = patientIds?.filter((id) => id !== '' && id !== '*');
    // Rows that only we can leave out must be gone before a page is counted off.
    const ownPaging =
      !this.reached.canPage(reaches, named) ||
      coverage.constraints !== undefined ||
      this.source.config.matchBirthDate ||
      this.withholding.applies ||
      isLimited(reaches);
    if (query.studyUid !== undefined) await this.owned(query.studyUid, coverage);
    const uids = query.match.get(Tag.StudyInstanceUID);
    const { limit, offset = 0, ...unpaged } = rest;
    if (limit === 0 && !ownPaging) return { rows: [], more: false };

    const unshown = {
      ...unpaged,
      ...(!ownPaging && limit !== undefined && { limit: limit + 1 }),
      ...(!ownPaging && offset > 0 && { offset }),
    };
    const anew = uids !== undefined && this.withholding.applies;
    const find = async () => {
      const found = await this.reached.find(reaches, unshown, { named, anew });
      return this.shown(await this.covered(found, query.level, coverage), uids);
    };
    let rows = await (anew ? this.source.evenly(find, ({ length }) => length === 0) : find());
    if (uids !== undefined && rows.length === 0) await this.source.throwIfAway();
    if (ownPaging) rows = rows.slice(offset);
    const page = rows.slice(0, limit);
    const more = limit !== undefined && rows.length > limit;
    return { rows: page, more, ...(reaches && { patients: this.caller.ownersOf(page, reaches) }) };
  }

  async studiesOf(patientId: string | undefined, filter: StudyFilter = {}): Promise<StudyRecord[]> {
    const coverage = this.maySearch();
    const { detail = 'series', studyUids } = filter;
    const reaches = await (patientId === undefined ? this.caller.all() : this.caller.of(patientId));
    // One patient's studies are few and asked for again and again within a request; everybody's are not fetched whole.
    const byUid = reaches === undefined && studyUids !== undefined;
    const question = JSON.stringify([patientId, detail, byUid && studyUids]);
    let asking = this.asked.get(question);
    if (!asking) {
      asking = this.records(patientId, reaches, detail, byUid ? studyUids : undefined);
      this.asked.set(question, asking);
    }
    const records = (await asking).filter(({ study }) => coveredBy(study, coverage));
    if (!studyUids) return records;
    return records.filter(({ study }) => studyUids.includes(text(study, Tag.StudyInstanceUID)!));
  }

  async study(studyUid: string, detail: Detail = 'series'): Promise<StudyRecord | undefined> {
    const study = await this.claim(studyUid, 'r', 'lookupUntil');
    if (typeof study === 'string') return undefined;
    const [series = [], instances] = await Promise.all(
      LEVELS[detail]
        .slice(1)
        .map((level) => this.source.ask({ level, studyUid, match: ALL, includeField: [] })),
    );
    return record(await this.caller.ownerOf(study, await this.caller.all()), study, series, instances);
  }

  patientById(id: string): string {
    return requirePatient(this.access, id).id;
  }

  patientByIdentifier(value: string, system?: string): Promise<string> {
    return this.caller.patientByIdentifier(value, system);
  }

  order(id: string): Promise<Order | undefined> {
    return this.caller.order(id);
  }

  async metadata(target: InstanceTarget): Promise<ObjectMetadata> {
    const [found] = await this.loadMetadata((await this.readable(target)).own);
    return found!;
  }

  async encodedMetadata(target: Target): Promise<EncodedMetadata> {
    const { own, study } = await this.readable(target);
    const count = text(study, Tag.NumberOfStudyRelatedInstances);
    const version = [this.key, target.studyUid, count, patientAsSaid(study)].join('\n');
    return this.source.shared(this.metadataCache.of(version, own, (wanted) => this.loadMetadata(wanted)));
  }

  /** What is kept for whoever asks next does not end with this request; of one instance nothing is kept. */
  private async loadMetadata(target: Target): Promise<ObjectMetadata[]> {
    const load = async (source: ImagingSource, signal?: AbortSignal): Promise<ObjectMetadata[]> => {
      const found = await source.metadata(target, signal);
      if (found.length === 0) throw noSuchObject();
      return found;
    };
    if (target.instanceUid === undefined) return load(await this.source.open());
    return this.source.retrieve(['metadata', target], load);
  }

  async retrieve(target: Target, transferSyntax: string): Promise<AsyncIterable<StoredInstance>> {
    const { own } = await this.readable(target);
    const opened = await this.source.retrieve(['instances', own, transferSyntax], (source, signal) =>
      primed(unattended(source.retrieve(own, transferSyntax, signal))),
    );
    if (!opened) throw noSuchObject();
    return opened;
  }

  async relay(target: Target, transferSyntax: string): Promise<Relayed | undefined> {
    const { own } = await this.readable(target);
    const relayed = await this.source.retrieve(['relay', own, transferSyntax], async (source, signal) => {
      const boundary = randomBoundary();
      const body = await source.relay?.(own, transferSyntax, boundary, signal);
      return body && { boundary, body: body.on('error', () => undefined) };
    });
    // One that was kept for this request may have ended meanwhile.
    if (relayed?.body.destroyed) {
      const details = { service: 'imaging', retryAfter: RETRY_SECONDS, cause: relayed.body.errored } as const;
      throw new Fault('unavailable', 'The image archive broke off; ask again.', details);
    }
    return relayed;
  }

  async frames(target: InstanceTarget, numbers: readonly number[]): Promise<Frames> {
    const { own } = await this.readable(target);
    return this.source.retrieve(['frames', own, numbers], (source, signal) =>
      source.frames(own, numbers, signal),
    );
  }

  async bulkdata(target: InstanceTarget, path: string): Promise<BulkData> {
    const { own } = await this.readable(target);
    return this.source.retrieve(['bulkdata', own, path], (source, signal) =>
      source.bulkdata(own, path, signal),
    );
  }

  /** The target as it is now, for caches of what is made of it. */
  async version(target: Target): Promise<Version> {
    const { own, study } = await this.readable(target);
    const source = await this.source.open();
    const stamp = source.version && (await this.source.shared(source.version(own)));
    return { source: this.key, patient: patientAsSaid(study), stamp };
  }

  /** The checks before every list. */
  private maySearch(): Coverage {
    const coverage = requireScope(this.access, 'ImagingStudy', 's');
    this.source.undelayed('lookupUntil');
    return coverage;
  }

  /** The checks before every retrieval of any form (IA-23); gives the study's row, and the target as its patient's. */
  private async readable<T extends Target>(target: T): Promise<{ study: DicomJson; own: T }> {
    const coverage = requireScope(this.access, 'ImagingStudy', 'r');
    this.source.undelayed('retrieveUntil');
    const study = await this.owned(target.studyUid, coverage);
    return { study, own: { ...target, patient: statedPatient(study) } };
  }

  /**
   * What this source says of a study. It is asked by UID alone: should two patients' studies carry the same UID,
   * retrieving by it would mix them, and so both have to be the caller's (IA-24).
   * @param delay which of the tenant's delays holds it back
   */
  async claim(
    studyUid: string,
    interaction: 'r' | 's',
    delay: 'lookupUntil' | 'retrieveUntil',
  ): Promise<Claim> {
    const coverage = requireScope(this.access, 'ImagingStudy', interaction);
    this.source.undelayed(delay);
    return this.judged(studyUid, coverage);
  }

  /** Whether it has a study of each UID at most once. */
  get hasEachUidOnce(): boolean {
    return this.source.config.type === 'folder';
  }

  /**
   * Which of these studies it has of somebody out of the caller's reach, alone or under the same UID as the caller's: they
   * cannot be had by that UID (IA-24).
   */
  async crossed(studyUids: readonly string[]): Promise<readonly string[]> {
    this.source.undelayed('lookupUntil');
    const reaches = await this.caller.byUid();
    if (!reaches) return [];
    const asked = chunked([...studyUids].sort()).map((some) => this.source.ask(byUid(...some), OWNER_TTL));
    const rows = (await Promise.all(asked)).flat();
    return studyUids.filter((uid) => studiesIn(rows, uid).some((row) => !this.caller.includes(reaches, row)));
  }

  /** The study's row, where this process remembers that the caller may have it; the source is not asked. */
  async remembered(studyUid: string, interaction: 'r' | 's'): Promise<DicomJson | undefined> {
    const coverage = requireScope(this.access, 'ImagingStudy', interaction);
    return this.inMemory(studyUid, coverage, await this.caller.byUid(), 'here');
  }

  /** Decided once for a request, however many parts of the study it is given. */
  private judged(studyUid: string, coverage: Coverage): Promise<Claim> {
    const question = `${studyUid}\n${JSON.stringify(coverage)}`;
    let judging = this.judgements.get(question);
    if (!judging) this.judgements.set(question, (judging = this.judge(studyUid, coverage)));
    return judging;
  }

  /**
   * What is kept may let a study pass, but refuses none. For a refusal everything is asked anew, and all of it, whatever
   * the answers are: a study that is foreign, uncovered or withheld costs the same questions in the same order as one
   * that is not there, however often it is asked for and whatever others have asked (IA-7).
   */
  private async judge(studyUid: string, coverage: Coverage): Promise<Claim> {
    if (!UID.test(studyUid)) return 'absent';
    const reaches = await this.caller.byUid();
    for (const memory of this.source.memories) {
      const study = await this.inMemory(studyUid, coverage, reaches, memory);
      if (study) return study;
    }
    const refuses = (claim: Claim) => typeof claim === 'string';
    const claim = await this.source.evenly(() => this.judgeAnew(studyUid, coverage, reaches), refuses);
    // Not within the pace, which has a limit: this takes as long for one study as for another.
    if (refuses(claim)) await this.source.throwIfAway();
    return claim;
  }

  private async judgeAnew(
    studyUid: string,
    coverage: Coverage,
    reaches: readonly Reach[] | undefined,
  ): Promise<Claim> {
    const query = byUid(studyUid);
    const found = await this.source.askAnew(query);
    const studies = studiesIn(found, studyUid);
    const own = studies.length > 0 && this.caller.includesAll(reaches, studies);
    const series = this.withholding.applies ? await this.source.askAnew(this.seriesQuery([studyUid])) : [];
    const judged = new Map([[studyUid, own ? series : []]]);
    const withheld = this.withholding.applies && (await this.withholding.withheldAnew(judged)).has(studyUid);
    if (studies.length === 0) return 'absent';
    if (!own) return 'foreign';
    if (!studies.every((row) => coveredBy(row, coverage))) return 'uncovered';
    if (withheld) {
      this.withheld.add(studyUid);
      return 'withheld';
    }
    this.source.keep(query, found, OWNER_TTL);
    this.source.keep(this.seriesQuery([studyUid]), series, OWNER_TTL);
    return studies[0]!;
  }

  /** The study's row, where all that is needed to let it pass is kept. */
  private async inMemory(
    studyUid: string,
    coverage: Coverage,
    reaches: readonly Reach[] | undefined,
    memory: Memory,
  ): Promise<DicomJson | undefined> {
    const { applies } = this.withholding;
    const [found, series] = await Promise.all([
      this.source.known(byUid(studyUid), memory),
      applies ? this.source.known(this.seriesQuery([studyUid]), memory) : [],
    ]);
    const studies = studiesIn(found ?? [], studyUid);
    const passes = (row: DicomJson) => this.caller.includes(reaches, row) && coveredBy(row, coverage);
    if (!series || studies.length === 0 || !studies.every(passes)) return undefined;
    return this.withholding.isShownByMemory(studyUid, series) ? studies[0] : undefined;
  }

  /** @throws Fault `not_found` for a study that the caller does not reach */
  private async owned(studyUid: string, coverage: Coverage): Promise<DicomJson> {
    const claim = await this.judged(studyUid, coverage);
    if (typeof claim === 'string') throw noSuchObject();
    return claim;
  }

  /**
   * Rows without those of studies that are withheld, which are remembered.
   * @param named studies that were asked for by UID: of each the same is asked, found or not (IA-7)
   */
  private async shown(rows: readonly DicomJson[], named?: readonly string[]): Promise<DicomJson[]> {
    const shown = named ? await this.shownOfNamed(rows, named) : await this.withholding.shown(rows);
    if (shown.length === rows.length) return shown;
    const left = byStudy(shown);
    for (const uid of byStudy(rows).keys()) if (!left.has(uid)) this.withheld.add(uid);
    return shown;
  }

  private async shownOfNamed(rows: readonly DicomJson[], named: readonly string[]): Promise<DicomJson[]> {
    if (!this.withholding.applies) return [...rows];
    const asked = chunked(named).map((some) => this.source.askAnew(this.seriesQuery(some)));
    const series = byStudy((await Promise.all(asked)).flat());
    const found = byStudy(rows);
    const studies = named.map((uid) => [uid, (found.has(uid) && series.get(uid)) || []] as const);
    const withheld = await this.withholding.withheldAnew(new Map(studies));
    return rows.filter((row) => !withheld.has(text(row, Tag.StudyInstanceUID) ?? ''));
  }

  /** At most as many calls as levels, however many studies (issue's speed list). */
  private async records(
    patientId: string | undefined,
    reaches: readonly Reach[] | undefined,
    detail: Detail,
    studyUids: readonly string[] | undefined,
  ): Promise<StudyRecord[]> {
    const match = studyUids ? new Map([[Tag.StudyInstanceUID as string, studyUids]]) : ALL;
    const anew = studyUids !== undefined && this.withholding.applies;
    const [studies = [], series = [], instances] = await Promise.all(
      LEVELS[detail].map((level) => this.reached.find(reaches, { level, match, includeField: [] }, { anew })),
    );
    const seriesOf = byStudy(series);
    const instancesOf = instances && byStudy(instances);
    const records = await Promise.all(
      (await this.shown(studies, studyUids)).map(async (study): Promise<StudyRecord> => {
        const uid = text(study, Tag.StudyInstanceUID) ?? '';
        const owner = patientId ?? (await this.caller.ownerOf(study, reaches));
        return record(owner, study, seriesOf.get(uid) ?? [], instancesOf && (instancesOf.get(uid) ?? []));
      }),
    );
    return records.sort(newestFirst);
  }

  /** Series of studies, for what is judged by them. */
  private async seriesOf(studyUids: readonly string[]): Promise<DicomJson[]> {
    const rows = chunked(studyUids).map((some) => this.source.ask(this.seriesQuery(some), OWNER_TTL));
    return (await Promise.all(rows)).flat();
  }

  private seriesQuery(studyUids: readonly string[]): SourceQuery {
    const match = new Map([[Tag.StudyInstanceUID as string, studyUids]]);
    return { level: 'series', match, includeField: this.withholding.includeField };
  }

  /** Rows of studies that a granular scope covers. */
  private async covered(rows: DicomJson[], level: Level, coverage: Coverage): Promise<DicomJson[]> {
    if (!coverage.constraints) return rows;
    if (level === 'study') return rows.filter((row) => coveredBy(row, coverage));
    const uids = [...new Set(rows.map((row) => text(row, Tag.StudyInstanceUID) ?? ''))];
    const allowed = await Promise.all(
      uids.map((uid) =>
        this.owned(uid, coverage).then(
          () => uid,
          () => undefined,
        ),
      ),
    );
    return rows.filter((row) => allowed.includes(text(row, Tag.StudyInstanceUID)));
  }
}

function byUid(...studyUids: readonly string[]): SourceQuery {
  return { level: 'study', match: new Map([[Tag.StudyInstanceUID, studyUids]]), includeField: [] };
}

function studiesIn(rows: readonly DicomJson[], studyUid: string): DicomJson[] {
  return rows.filter((row) => text(row, Tag.StudyInstanceUID) === studyUid);
}

/** What nobody comes for is ended unread (IA-27), and that must not end the process; who reads learns of it by reading. */
async function* unattended(instances: AsyncIterable<StoredInstance>): AsyncGenerator<StoredInstance> {
  for await (const instance of instances) {
    instance.stream.on('error', () => undefined);
    yield instance;
  }
}

function record(
  patientId: string | undefined,
  study: DicomJson,
  series: readonly DicomJson[],
  instances: readonly DicomJson[] | undefined,
): StudyRecord {
  return { ...(patientId !== undefined && { patientId }), study, series, ...(instances && { instances }) };
}
