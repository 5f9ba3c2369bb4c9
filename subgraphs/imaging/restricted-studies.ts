import type { Readable } from 'node:stream';
import { requirePatient, type Access } from '../../schema/access.ts';
import { Tag, text, UID, type DicomJson } from '../../schema/dicom.ts';
import { Fault } from '../../schema/fault.ts';
import { requireScope, type Coverage } from '../../schema/scopes.ts';
import type { Tenant } from '../../schema/tenant.ts';
import { CallerReach, type CallerReachOptions } from './caller-reach.ts';
import { coveredBy, unpadded, type PatientKey, type Reach } from './ownership.ts';
import { isLimited, keysFor } from './patient-keys.ts';
import { primed } from './patience.ts';
import type { QidoQuery } from './qido.ts';
import type {
  BulkData,
  Frames,
  ImagingSource,
  InstanceTarget,
  Level,
  StoredInstance,
  Target,
} from './sources/source.ts';
import type { Detail, Imaging, Order, SearchResult, StudyFilter, StudyRecord } from './studies.ts';
import { OWNER_TTL } from './study-cache.ts';
import { byStudy, newestFirst } from './study-rows.ts';
import { notFound, TenantSource, type TenantSourceOptions } from './tenant-source.ts';
import { wildcards } from './wildcards.ts';
import { Withholding, type WithholdingOptions } from './withhold.ts';

export type RestrictedStudiesOptions = CallerReachOptions & TenantSourceOptions & WithholdingOptions;

const ALL: ReadonlyMap<string, readonly string[]> = new Map();
const LEVELS: Record<Detail, readonly Level[]> = {
  study: ['study'],
  series: ['study', 'series'],
  instance: ['study', 'series', 'instance'],
};

/** An image source behind an Access (IA-5 to IA-9): nothing of it can be had in any other way. */
export class RestrictedStudies implements Imaging {
  readonly tenant: Tenant;
  readonly access: Access;
  private readonly source: TenantSource;
  private readonly caller: CallerReach;
  private readonly withholding: Withholding;
  private readonly asked = new Map<string, Promise<StudyRecord[]>>();

  constructor(options: RestrictedStudiesOptions) {
    this.tenant = options.tenant;
    this.access = options.access;
    this.source = new TenantSource(options);
    this.caller = new CallerReach(options, () => this.source.config);
    this.withholding = new Withholding(options, (studyUids, includeField) =>
      this.seriesOf(studyUids, includeField),
    );
  }

  async search(query: QidoQuery): Promise<SearchResult> {
    const coverage = this.maySearch();
    const { config } = this.source;
    const reaches = this.caller.all();
    const named = query.patientIds?.filter((id) => id !== '' && id !== '*');
    const keys = keysFor(reaches, named, config);
    const pattern = keys === 'pattern' ? wildcards(named!) : undefined;
    if (query.studyUid !== undefined) await this.owned(query.studyUid, coverage);
    if (query.limit === 0) return { rows: [], more: false };

    // Rows that only we can leave out must be gone before a page is counted off.
    const ownPaging =
      pattern !== undefined ||
      coverage.constraints !== undefined ||
      config.matchBirthDate ||
      this.withholding.applies ||
      isLimited(reaches);
    const { limit, offset = 0 } = query;
    const found = await this.source.ask({
      level: query.level,
      ...(query.studyUid !== undefined && { studyUid: query.studyUid }),
      ...(query.seriesUid !== undefined && { seriesUid: query.seriesUid }),
      ...(Array.isArray(keys) && { patientIds: keys as readonly PatientKey[] }),
      match: query.match,
      includeField: query.includeField,
      ...(!ownPaging && limit !== undefined && { limit: limit + 1 }),
      ...(!ownPaging && offset > 0 && { offset }),
    });
    let rows = found.filter((row) => this.caller.includes(reaches, row));
    if (pattern) rows = rows.filter((row) => pattern.test(unpadded(text(row, Tag.PatientID))));
    rows = await this.withholding.shown(await this.covered(rows, query.level, coverage));
    if (ownPaging) rows = rows.slice(offset);
    const page = rows.slice(0, limit);
    const more = limit !== undefined && rows.length > limit;
    return { rows: page, more, ...(reaches && { patients: this.caller.ownersOf(page, reaches) }) };
  }

  async studiesOf(patientId: string | undefined, filter: StudyFilter = {}): Promise<StudyRecord[]> {
    const coverage = this.maySearch();
    const { detail = 'series', studyUids } = filter;
    const reaches = patientId === undefined ? this.caller.all() : await this.caller.of(patientId);
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
    const coverage = requireScope(this.access, 'ImagingStudy', 'r');
    this.source.undelayed('lookupUntil');
    if (!UID.test(studyUid)) return undefined;
    const study = await this.owned(studyUid, coverage).catch((error: unknown) => {
      if (error instanceof Fault && error.code === 'not_found') return undefined;
      throw error;
    });
    if (!study) return undefined;
    const [series = [], instances] = await Promise.all(
      LEVELS[detail]
        .slice(1)
        .map((level) => this.source.ask({ level, studyUid, match: ALL, includeField: [] })),
    );
    return this.record(await this.caller.ownerOf(study, this.caller.all()), study, series, instances);
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
    const source = await this.readable(target);
    const rows = await this.source.patiently((signal) => source.metadata(target, signal));
    if (rows.length === 0) throw notFound();
    return rows;
  }

  async retrieve(target: Target, transferSyntax: string): Promise<AsyncIterable<StoredInstance>> {
    const source = await this.readable(target);
    const opened = await this.source.patiently((signal) =>
      primed(source.retrieve(target, transferSyntax, signal)),
    );
    if (!opened) throw notFound();
    return opened;
  }

  async relay(target: Target, transferSyntax: string, boundary: string): Promise<Readable | undefined> {
    const source = await this.readable(target);
    if (!source.relay) return undefined;
    return this.source.patiently((signal) => source.relay!(target, transferSyntax, boundary, signal));
  }

  async frames(target: InstanceTarget, numbers: readonly number[]): Promise<Frames> {
    const source = await this.readable(target);
    return this.source.patiently((signal) => source.frames(target, numbers, signal));
  }

  async bulkdata(target: InstanceTarget, path: string): Promise<BulkData> {
    const source = await this.readable(target);
    return this.source.patiently((signal) => source.bulkdata(target, path, signal));
  }

  /** The checks before every list. */
  private maySearch(): Coverage {
    const coverage = requireScope(this.access, 'ImagingStudy', 's');
    this.source.undelayed('lookupUntil');
    return coverage;
  }

  /** The checks before every retrieval of any form (IA-23). */
  private async readable(target: Target): Promise<ImagingSource> {
    const coverage = requireScope(this.access, 'ImagingStudy', 'r');
    this.source.undelayed('retrieveUntil');
    await this.owned(target.studyUid, coverage);
    return this.source.open();
  }

  /**
   * The study, when the caller reaches it. The source is asked by UID alone: should two patients' studies carry the same
   * UID, retrieving by it would mix them, and so both have to be the caller's (IA-24). No kept answer refuses: a study
   * out of reach costs the call that one costs which is not there, and so takes as long (IA-7).
   * @throws Fault `not_found` otherwise
   */
  private async owned(studyUid: string, coverage: Coverage): Promise<DicomJson> {
    const reaches = this.caller.all();
    const match = new Map([[Tag.StudyInstanceUID as string, [studyUid]]]);
    const studies = (rows: readonly DicomJson[]) =>
      rows.filter((row) => text(row, Tag.StudyInstanceUID) === studyUid);
    const ours = (rows: readonly DicomJson[]) =>
      studies(rows).every((row) => this.caller.includes(reaches, row) && coveredBy(row, coverage));
    const found = await this.source.ask({ level: 'study', match, includeField: [] }, OWNER_TTL, ours);
    const [study] = studies(found);
    if (!study || !ours(found)) throw notFound();
    const [shown] = await this.withholding.shown([study]);
    if (!shown) throw notFound();
    return shown;
  }

  /** At most as many calls as levels, however many studies (issue's speed list). */
  private async records(
    patientId: string | undefined,
    reaches: readonly Reach[] | undefined,
    detail: Detail,
    studyUids: readonly string[] | undefined,
  ): Promise<StudyRecord[]> {
    const keys = keysFor(reaches, undefined, this.source.config) as readonly PatientKey[] | undefined;
    const match = studyUids ? new Map([[Tag.StudyInstanceUID as string, studyUids]]) : ALL;
    const [studies = [], series = [], instances] = await Promise.all(
      LEVELS[detail].map((level) =>
        this.source.ask({ level, ...(keys && { patientIds: keys }), match, includeField: [] }),
      ),
    );
    const mine = (rows: readonly DicomJson[]) => rows.filter((row) => this.caller.includes(reaches, row));
    const seriesOf = byStudy(mine(series));
    const instancesOf = instances && byStudy(mine(instances));
    const records = await Promise.all(
      (await this.withholding.shown(mine(studies))).map(async (study): Promise<StudyRecord> => {
        const uid = text(study, Tag.StudyInstanceUID) ?? '';
        const owner = patientId ?? (await this.caller.ownerOf(study, reaches));
        return this.record(
          owner,
          study,
          seriesOf.get(uid) ?? [],
          instancesOf && (instancesOf.get(uid) ?? []),
        );
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

  private record(
    patientId: string | undefined,
    study: DicomJson,
    series: readonly DicomJson[],
    instances: readonly DicomJson[] | undefined,
  ): StudyRecord {
    return { ...(patientId !== undefined && { patientId }), study, series, ...(instances && { instances }) };
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

/** UIDs that one query of an archive takes: an address has its limits. */
const MOST_UIDS = 50;

function chunked(uids: readonly string[]): string[][] {
  const count = Math.ceil(uids.length / MOST_UIDS);
  return Array.from({ length: count }, (_, index) => uids.slice(index * MOST_UIDS, (index + 1) * MOST_UIDS));
}
