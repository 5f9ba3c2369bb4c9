import type { Readable } from 'node:stream';
import type { FastifyBaseLogger } from 'fastify';
import { requirePatient, type Access } from '../../schema/access.ts';
import { Tag, text, UID, type DicomJson } from '../../schema/dicom.ts';
import { Fault } from '../../schema/fault.ts';
import { requireScope, type Coverage } from '../../schema/scopes.ts';
import type { ImagesConfig, Tenant } from '../../schema/tenant.ts';
import { belongsTo, coveredBy, reachOf, unpadded, type PatientKey, type Reach } from './ownership.ts';
import { isLimited, keysFor, patternOf } from './patient-keys.ts';
import { patiently, primed } from './patience.ts';
import type { QidoQuery } from './qido.ts';
import type { TenantImages } from './sources/open.ts';
import type {
  BulkData,
  Frames,
  ImagingSource,
  InstanceTarget,
  Level,
  SourceQuery,
  StoredInstance,
  Target,
} from './sources/source.ts';
import type { Detail, Directory, Imaging, SearchResult, StudyFilter, StudyRecord } from './studies.ts';
import { OWNER_TTL, SEARCH_TTL, type StudyCache } from './study-cache.ts';
import { byStudy, newestFirst } from './study-rows.ts';

export interface RestrictedStudiesOptions {
  tenant: Tenant;
  access: Access;
  /** The tenant's image source; throws Fault where its backend is not built. */
  images(): TenantImages;
  cache: StudyCache;
  directory: Directory;
  /** Seconds since the epoch. */
  now(): number;
  log: Pick<FastifyBaseLogger, 'warn'>;
  /** Ends what was begun for this request when its caller leaves. */
  signal?: AbortSignal | undefined;
}

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
  private readonly options: RestrictedStudiesOptions;
  private readonly asked = new Map<string, Promise<StudyRecord[]>>();
  private readonly owners = new Map<string, Promise<string | undefined>>();
  private opened: TenantImages | undefined;
  private own: readonly Reach[] | undefined;

  constructor(options: RestrictedStudiesOptions) {
    this.tenant = options.tenant;
    this.access = options.access;
    this.options = options;
  }

  async search(query: QidoQuery): Promise<SearchResult> {
    const coverage = requireScope(this.access, 'ImagingStudy', 's');
    const config = this.lookup();
    const reaches = this.reaches();
    const named = query.patientIds?.filter((id) => id !== '' && id !== '*');
    const keys = keysFor(reaches, named, config);
    const pattern = keys === 'pattern' ? patternOf(named!) : undefined;
    if (query.studyUid !== undefined) await this.owned(query.studyUid, coverage);
    if (query.limit === 0) return { rows: [], more: false };

    // Rows that only we can leave out must be gone before a page is counted off.
    const ownPaging =
      pattern !== undefined ||
      coverage.constraints !== undefined ||
      config.matchBirthDate ||
      isLimited(reaches);
    const { limit, offset = 0 } = query;
    const found = await this.ask({
      level: query.level,
      ...(query.studyUid !== undefined && { studyUid: query.studyUid }),
      ...(query.seriesUid !== undefined && { seriesUid: query.seriesUid }),
      ...(Array.isArray(keys) && { patientIds: keys as readonly PatientKey[] }),
      match: query.match,
      includeField: query.includeField,
      ...(!ownPaging && limit !== undefined && { limit: limit + 1 }),
      ...(!ownPaging && offset > 0 && { offset }),
    });
    let rows = found.filter((row) => this.isReached(row, reaches));
    if (pattern) rows = rows.filter((row) => pattern.test(unpadded(text(row, Tag.PatientID))));
    rows = await this.covered(rows, query.level, coverage);
    if (ownPaging) rows = rows.slice(offset);
    return { rows: rows.slice(0, limit), more: limit !== undefined && rows.length > limit };
  }

  async studiesOf(patientId: string | undefined, filter: StudyFilter = {}): Promise<StudyRecord[]> {
    const coverage = requireScope(this.access, 'ImagingStudy', 's');
    const { detail = 'series', studyUids } = filter;
    const reaches = await this.reachesOf(patientId);
    if (!reaches && patientId !== undefined && this.lookup().lookup !== 'all-studies-on-server') return [];
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
    this.lookup();
    if (!UID.test(studyUid)) return undefined;
    const owned = await this.owned(studyUid, coverage).catch((error: unknown) => {
      if (error instanceof Fault && error.code === 'not_found') return undefined;
      throw error;
    });
    if (!owned) return undefined;
    const [series = [], instances] = await Promise.all(
      LEVELS[detail].slice(1).map((level) => this.ask({ level, studyUid, match: ALL, includeField: [] })),
    );
    const patientId = owned.patientId ?? (await this.patientIdOf(owned.study));
    return {
      ...(patientId !== undefined && { patientId }),
      study: owned.study,
      series,
      ...(instances && { instances }),
    };
  }

  async patientByIdentifier(value: string, system?: string): Promise<string> {
    const { patients } = this.access;
    const id =
      patients === 'all'
        ? await this.options.directory.find(this.tenant, this.access, value, system)
        : patients.find(({ identity }) =>
            identity?.identifier.some((own) => own.value === value && (!system || own.system === system)),
          )?.id;
    if (id === undefined)
      throw new Fault('forbidden', 'The token does not give access to the patient that was asked for.');
    return id;
  }

  async metadata(target: Target): Promise<DicomJson[]> {
    const source = await this.readable(target);
    const rows = await this.patiently((signal) => source.metadata(target, signal));
    if (rows.length === 0) throw notFound();
    return rows;
  }

  async retrieve(target: Target, transferSyntax: string): Promise<AsyncIterable<StoredInstance>> {
    const source = await this.readable(target);
    const opened = await this.patiently((signal) => primed(source.retrieve(target, transferSyntax, signal)));
    if (!opened) throw notFound();
    return opened;
  }

  async relay(target: Target, transferSyntax: string, boundary: string): Promise<Readable | undefined> {
    const source = await this.readable(target);
    if (!source.relay) return undefined;
    return this.patiently((signal) => source.relay!(target, transferSyntax, boundary, signal));
  }

  async frames(target: InstanceTarget, numbers: readonly number[]): Promise<Frames> {
    const source = await this.readable(target);
    return this.patiently((signal) => source.frames(target, numbers, signal));
  }

  async bulkdata(target: InstanceTarget, path: string): Promise<BulkData> {
    const source = await this.readable(target);
    return this.patiently((signal) => source.bulkdata(target, path, signal));
  }

  /** The checks before every retrieval of any form (IA-23). */
  private async readable(target: Target): Promise<ImagingSource> {
    const coverage = requireScope(this.access, 'ImagingStudy', 'r');
    const { config, open } = this.images();
    this.delayed(config.delay.retrieveUntil);
    await this.owned(target.studyUid, coverage);
    return open();
  }

  /**
   * The study, when the caller reaches it. The source is asked by UID alone: should two patients' studies carry the same
   * UID, retrieving by it would mix them, and so both have to be the caller's (IA-24).
   * @throws Fault `not_found` otherwise
   */
  private async owned(
    studyUid: string,
    coverage: Coverage,
  ): Promise<{ study: DicomJson; patientId?: string }> {
    const reaches = this.reaches();
    const match = new Map([[Tag.StudyInstanceUID as string, [studyUid]]]);
    const found = await this.ask({ level: 'study', match, includeField: [] }, OWNER_TTL);
    const rows = found.filter((row) => text(row, Tag.StudyInstanceUID) === studyUid);
    if (rows.length === 0 || !rows.every((row) => this.isReached(row, reaches) && coveredBy(row, coverage))) {
      throw notFound();
    }
    const study = rows[0]!;
    const patientId = reaches?.find((reach) => belongsTo(study, reach, this.config()))?.grant.id;
    return { study, ...(patientId !== undefined && { patientId }) };
  }

  /** At most as many calls as levels, however many studies (issue's speed list). */
  private async records(
    patientId: string | undefined,
    reaches: readonly Reach[] | undefined,
    detail: Detail,
    studyUids: readonly string[] | undefined,
  ): Promise<StudyRecord[]> {
    const keys = keysFor(reaches, undefined, this.config()) as readonly PatientKey[] | undefined;
    const match = studyUids ? new Map([[Tag.StudyInstanceUID as string, studyUids]]) : ALL;
    const [studies = [], series = [], instances] = await Promise.all(
      LEVELS[detail].map((level) =>
        this.ask({ level, ...(keys && { patientIds: keys }), match, includeField: [] }),
      ),
    );
    const mine = (rows: readonly DicomJson[]) => rows.filter((row) => this.isReached(row, reaches));
    const seriesOf = byStudy(mine(series));
    const instancesOf = instances && byStudy(mine(instances));
    const records = await Promise.all(
      mine(studies).map(async (study): Promise<StudyRecord> => {
        const uid = text(study, Tag.StudyInstanceUID) ?? '';
        const owner =
          patientId ??
          reaches?.find((reach) => belongsTo(study, reach, this.config()))?.grant.id ??
          (await this.patientIdOf(study));
        return {
          ...(owner !== undefined && { patientId: owner }),
          study,
          series: seriesOf.get(uid) ?? [],
          ...(instancesOf && { instances: instancesOf.get(uid) ?? [] }),
        };
      }),
    );
    return records.sort(newestFirst);
  }

  /** What every granted patient reaches; undefined where the Access reaches all. */
  private reaches(): readonly Reach[] | undefined {
    const { patients } = this.access;
    if (patients === 'all') return undefined;
    if (patients.length === 0) {
      throw new Fault('forbidden', 'The token names no patient, so that no patient can be served with it.');
    }
    return (this.own ??= patients.map((grant) => reachOf(grant, this.config())));
  }

  /** The same for a patient whom the request names, or for all in reach. */
  private async reachesOf(patientId: string | undefined): Promise<readonly Reach[] | undefined> {
    const config = this.lookup();
    if (patientId === undefined) return this.reaches();
    const grant = requirePatient(this.access, patientId);
    if (this.access.patients !== 'all') return [reachOf(grant, config)];
    if (config.lookup === 'all-studies-on-server') return undefined;
    const identity = await this.options.directory.read(this.tenant, this.access, patientId);
    return identity && [reachOf({ ...grant, identity }, config)];
  }

  private isReached(row: DicomJson, reaches: readonly Reach[] | undefined): boolean {
    if (!reaches) return true;
    const config = this.config();
    if (reaches.some((reach) => belongsTo(row, reach, config))) return true;
    if (
      config.matchBirthDate &&
      reaches.some((reach) => belongsTo(row, reach, { ...config, matchBirthDate: false }))
    ) {
      const studyUid = text(row, Tag.StudyInstanceUID);
      this.options.log.warn(
        { tenant: this.tenant.key, studyUid },
        'withheld: birth date contradicts the record',
      );
    }
    return false;
  }

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

  /** Who the clinical base says owns a study, for callers who reach everybody; where it cannot say, nobody is named. */
  private patientIdOf(study: DicomJson): Promise<string | undefined> {
    const mrn = unpadded(text(study, Tag.PatientID));
    if (this.access.patients !== 'all' || !mrn) return Promise.resolve(undefined);
    let owner = this.owners.get(mrn);
    if (!owner) {
      owner = this.options.directory.find(this.tenant, this.access, mrn).catch((error: unknown) => {
        if (error instanceof Fault) return undefined;
        throw error;
      });
      this.owners.set(mrn, owner);
    }
    return owner;
  }

  private images(): TenantImages {
    return (this.opened ??= this.options.images());
  }

  private config(): ImagesConfig {
    return this.images().config;
  }

  private lookup(): ImagesConfig {
    const config = this.config();
    this.delayed(config.delay.lookupUntil);
    return config;
  }

  private ask(query: SourceQuery, ttl = SEARCH_TTL): Promise<readonly DicomJson[]> {
    const { key, open } = this.images();
    const question = `${key}\n${JSON.stringify({ ...query, match: [...query.match] })}`;
    // Not ended with this request: others may wait for the same answer, and the next one finds it there (IA-19).
    return this.patiently(() =>
      this.options.cache.rows(question, ttl, async () => (await open()).search(query)),
    );
  }

  private async patiently<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await patiently(work, this.config().patience, this.options.signal);
    } catch (error) {
      throw error instanceof Fault && error.code === 'not_found' ? notFound() : error;
    }
  }

  /** REF's forced delay (IA-19). */
  private delayed(until: number): void {
    const left = until - this.options.now();
    if (left <= 0) return;
    throw new Fault('unavailable', 'The images are still being fetched; ask again later.', {
      service: 'imaging',
      retryAfter: left,
    });
  }
}

/** The one answer for a UID that is unknown or out of reach (IA-7). */
function notFound(): Fault {
  return new Fault('not_found', 'There is no such object for this caller.');
}
