import { requirePatient, type Access } from '../../schema/access.ts';
import { Tag, text, UID, type DicomJson } from '../../schema/dicom.ts';
import { requireScope, type Coverage } from '../../schema/scopes.ts';
import type { Tenant } from '../../schema/tenant.ts';
import { CallerReach, type CallerReachOptions } from './caller-reach.ts';
import type { EncodedMetadata, MetadataCache } from './metadata-cache.ts';
import { randomBoundary } from './multipart.ts';
import { noSuchObject } from './not-found.ts';
import { coveredBy, type Reach } from './ownership.ts';
import { inlinePalettes } from './palettes.ts';
import { isLimited } from './patient-keys.ts';
import { primed } from './patience.ts';
import type { QidoQuery } from './qido.ts';
import { ReachedRows } from './reached-rows.ts';
import type {
  BulkData,
  Frames,
  ImagingSource,
  InstanceTarget,
  Level,
  StoredInstance,
  Target,
} from './sources/source.ts';
import type { Detail, Order, Relayed, SearchResult, StudyFilter, StudyRecord } from './studies.ts';
import { OWNER_TTL } from './study-cache.ts';
import type { Version } from './study-reader.ts';
import { byStudy, chunked, newestFirst } from './study-rows.ts';
import { TenantSource, type TenantSourceOptions } from './tenant-source.ts';
import { Withholding, type WithholdingOptions } from './withhold.ts';

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
    this.withholding = new Withholding(options, (studyUids, includeField) =>
      this.seriesOf(studyUids, includeField),
    );
  }

  /** Names tenant and source in caches. */
  get key(): string {
    return this.source.key;
  }

  async search(query: QidoQuery): Promise<SearchResult> {
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
    const { limit, offset = 0, ...unpaged } = rest;
    if (limit === 0 && !ownPaging) return { rows: [], more: false };

    const found = await this.reached.find(
      reaches,
      {
        ...unpaged,
        ...(!ownPaging && limit !== undefined && { limit: limit + 1 }),
        ...(!ownPaging && offset > 0 && { offset }),
      },
      named,
    );
    let rows = await this.shown(await this.covered(found, query.level, coverage));
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

  async metadata(target: Target): Promise<DicomJson[]> {
    if (target.instanceUid === undefined) return (await this.encodedMetadata(target)).rows();
    await this.readable(target);
    return this.loadMetadata(target);
  }

  async encodedMetadata(target: Target): Promise<EncodedMetadata> {
    const study = await this.readable(target);
    const version = [this.key, target.studyUid, text(study, Tag.NumberOfStudyRelatedInstances)].join('\n');
    return this.source.shared(this.metadataCache.of(version, target, (wanted) => this.loadMetadata(wanted)));
  }

  /** What is kept for whoever asks next does not end with this request; of one instance nothing is kept. */
  private async loadMetadata(target: Target): Promise<DicomJson[]> {
    const load = async (source: ImagingSource, signal?: AbortSignal): Promise<DicomJson[]> => {
      const rows = await source.metadata(target, signal);
      if (rows.length === 0) throw noSuchObject();
      await inlinePalettes(rows, target, source);
      return rows;
    };
    if (target.instanceUid === undefined) return load(await this.source.open());
    return this.source.retrieve(['metadata', target], load);
  }

  async retrieve(target: Target, transferSyntax: string): Promise<AsyncIterable<StoredInstance>> {
    await this.readable(target);
    const opened = await this.source.retrieve(['instances', target, transferSyntax], (source, signal) =>
      primed(unattended(source.retrieve(target, transferSyntax, signal))),
    );
    if (!opened) throw noSuchObject();
    return opened;
  }

  async relay(target: Target, transferSyntax: string): Promise<Relayed | undefined> {
    await this.readable(target);
    return this.source.retrieve(['relay', target, transferSyntax], async (source, signal) => {
      const boundary = randomBoundary();
      const body = await source.relay?.(target, transferSyntax, boundary, signal);
      return body && { boundary, body: body.on('error', () => undefined) };
    });
  }

  async frames(target: InstanceTarget, numbers: readonly number[]): Promise<Frames> {
    await this.readable(target);
    return this.source.retrieve(['frames', target, numbers], (source, signal) =>
      source.frames(target, numbers, signal),
    );
  }

  async bulkdata(target: InstanceTarget, path: string): Promise<BulkData> {
    await this.readable(target);
    return this.source.retrieve(['bulkdata', target, path], (source, signal) =>
      source.bulkdata(target, path, signal),
    );
  }

  /** The target as it is now, for caches of what is made of it. */
  async version(target: Target): Promise<Version> {
    await this.readable(target);
    const source = await this.source.open();
    const stamp = source.version && (await this.source.shared(source.version(target)));
    return { source: this.key, stamp };
  }

  /** The checks before every list. */
  private maySearch(): Coverage {
    const coverage = requireScope(this.access, 'ImagingStudy', 's');
    this.source.undelayed('lookupUntil');
    return coverage;
  }

  /** The checks before every retrieval of any form (IA-23); gives the study's row. */
  private async readable(target: Target): Promise<DicomJson> {
    const coverage = requireScope(this.access, 'ImagingStudy', 'r');
    this.source.undelayed('retrieveUntil');
    return this.owned(target.studyUid, coverage);
  }

  /**
   * What this source says of a study. It is asked by UID alone: should two patients' studies carry the same UID,
   * retrieving by it would mix them, and so both have to be the caller's (IA-24). No kept answer refuses: a study out of
   * reach costs the call that one costs which is not there, and so takes as long (IA-7).
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

  /** Decided once for a request, however many parts of the study it is given. */
  private judged(studyUid: string, coverage: Coverage): Promise<Claim> {
    const question = `${studyUid}\n${JSON.stringify(coverage)}`;
    let judging = this.judgements.get(question);
    if (!judging) this.judgements.set(question, (judging = this.judge(studyUid, coverage)));
    return judging;
  }

  private async judge(studyUid: string, coverage: Coverage): Promise<Claim> {
    if (!UID.test(studyUid)) return 'absent';
    const reaches = await this.caller.byUid();
    const match = new Map([[Tag.StudyInstanceUID as string, [studyUid]]]);
    const studies = (rows: readonly DicomJson[]) =>
      rows.filter((row) => text(row, Tag.StudyInstanceUID) === studyUid);
    const ours = (rows: readonly DicomJson[]) =>
      studies(rows).every((row) => this.caller.includes(reaches, row));
    const found = await this.source.ask({ level: 'study', match, includeField: [] }, OWNER_TTL, ours);
    const [study] = studies(found);
    if (!study) return 'absent';
    if (!ours(found)) return 'foreign';
    if (!studies(found).every((row) => coveredBy(row, coverage))) return 'uncovered';
    const [shown] = await this.shown([study]);
    return shown ?? 'withheld';
  }

  /** @throws Fault `not_found` for a study that the caller does not reach */
  private async owned(studyUid: string, coverage: Coverage): Promise<DicomJson> {
    const claim = await this.judged(studyUid, coverage);
    if (typeof claim === 'string') throw noSuchObject();
    return claim;
  }

  /** Rows without those of studies that are withheld, which are remembered. */
  private async shown(rows: readonly DicomJson[]): Promise<DicomJson[]> {
    const shown = await this.withholding.shown(rows);
    if (shown.length === rows.length) return shown;
    const left = byStudy(shown);
    for (const uid of byStudy(rows).keys()) if (!left.has(uid)) this.withheld.add(uid);
    return shown;
  }

  /** At most as many calls as levels, however many studies (issue's speed list). */
  private async records(
    patientId: string | undefined,
    reaches: readonly Reach[] | undefined,
    detail: Detail,
    studyUids: readonly string[] | undefined,
  ): Promise<StudyRecord[]> {
    const match = studyUids ? new Map([[Tag.StudyInstanceUID as string, studyUids]]) : ALL;
    const [studies = [], series = [], instances] = await Promise.all(
      LEVELS[detail].map((level) => this.reached.find(reaches, { level, match, includeField: [] })),
    );
    const seriesOf = byStudy(series);
    const instancesOf = instances && byStudy(instances);
    const records = await Promise.all(
      (await this.shown(studies)).map(async (study): Promise<StudyRecord> => {
        const uid = text(study, Tag.StudyInstanceUID) ?? '';
        const owner = patientId ?? (await this.caller.ownerOf(study, reaches));
        return record(owner, study, seriesOf.get(uid) ?? [], instancesOf && (instancesOf.get(uid) ?? []));
      }),
    );
    return records.sort(newestFirst);
  }

  /** Series of studies, for what is judged by them. */
  private async seriesOf(
    studyUids: readonly string[],
    includeField: readonly string[],
  ): Promise<DicomJson[]> {
    const rows = chunked(studyUids).map((some) =>
      this.source.ask(
        { level: 'series', match: new Map([[Tag.StudyInstanceUID as string, some]]), includeField },
        OWNER_TTL,
      ),
    );
    return (await Promise.all(rows)).flat();
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
