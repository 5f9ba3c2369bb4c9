import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { threadModule } from '../../schema/process/thread-module.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { Analysis, type AnalysisSettings } from '../../subgraphs/analysis/analysis.ts';
import { BulkRecords, type BulkRecordsOptions } from '../../subgraphs/analysis/bulk/bulk-records.ts';
import { requirePolicy } from '../../subgraphs/analysis/bulk/require-policy.ts';
import type { AnalysisSources } from '../../subgraphs/analysis/sources.ts';
import { AnalysisThreads } from '../../subgraphs/analysis/threads.ts';
import { tablesOf } from '../../subgraphs/analysis/views/tables.ts';
import type { ClinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import { LINKED_TYPES } from '../../subgraphs/clinical/joins/record-links.ts';
import type { imagingSubgraph } from '../../subgraphs/imaging/app.ts';

type ImageTables = ReturnType<typeof imagingSubgraph>['tables'];

/** Milliseconds after which the first datasets are made, unless a question begins them. */
const AFTER_START = 20_000;

/** The subgraphs of this process. */
interface Subgraphs {
  clinical: { tables: Omit<ClinicalSubgraph['tables'], 'searched' | 'members'> };
  imaging: {
    tables: Pick<ImageTables, 'imagesVersion' | 'indexFiles' | 'allStudies' | 'allInstances' | 'studyIds'>;
  };
}

/** The settings of a tenant: key `analysis` of its file. */
interface TenantSettings extends Pick<AnalysisSettings, 'views' | 'dicom' | 'refreshMinutes'> {
  /** True where archives are asked for their instances, which only folders have at hand. */
  instances: boolean;
  /** True where the record is fetched from an EHR. */
  isFetched?: boolean | undefined;
}

export interface AnalysesOptions
  extends Subgraphs, Pick<AnalysisSettings, 'log' | 'onRemoved' | 'now' | 'wait'> {
  /** Records that are fetched from EHRs; undefined: there are none. */
  fetched?: Omit<BulkRecordsOptions, 'now'> | undefined;
  /** Folder for all that is made, of this process alone. */
  folder: string;
  /** Returns the settings of a tenant; undefined for one without tables. */
  settingsOf(tenant: Tenant): TenantSettings | undefined;
}

/** The tables of all tenants. Use one in a process; the creator closes it, before the subgraphs. */
export class Analyses {
  /** Folder for the processes that answer queries: empty at the start. */
  readonly queries: string;
  readonly threads = new AnalysisThreads(threadModule('build-thread', import.meta.url));
  readonly #options: AnalysesOptions;
  readonly #tenants: string;
  readonly #fetched: BulkRecords | undefined;
  #hasFolders = false;
  #beginning: NodeJS.Timeout | undefined;
  /** By `cacheKey`: another configuration has tables of its own. */
  readonly #opened = new Map<string, Analysis>();

  constructor(options: AnalysesOptions) {
    const { folder } = options;
    this.#options = options;
    this.#tenants = join(folder, 'tenants');
    this.queries = join(folder, 'queries');
    this.#fetched = options.fetched && new BulkRecords({ ...options.fetched, now: options.now });
  }

  /** Makes the folders at the first use: a check of a tenant has none, and another process may be at work. */
  #makeFolders(): void {
    if (this.#hasFolders) return;
    this.#hasFolders = true;
    const { folder } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    // Processes that were killed have left files.
    rmSync(this.queries, { recursive: true, force: true });
    for (const path of [this.queries, this.#tenants]) mkdirSync(path, { recursive: true, mode: 0o700 });
  }

  /** Removes what is of no tenant any more. Makes the first datasets a little later: not beside the first requests. */
  begin(tenants: readonly Tenant[]): void {
    this.#makeFolders();
    const own = tenants.filter((tenant) => this.#options.settingsOf(tenant));
    const kept = new Set(own.map(({ cacheKey }) => cacheKey));
    for (const name of readdirSync(this.#tenants))
      if (!kept.has(name)) rmSync(join(this.#tenants, name), { recursive: true, force: true });
    const isFetched = (tenant: Tenant) => this.#options.settingsOf(tenant)!.isFetched;
    this.#fetched
      ?.keepOnly(own.filter(isFetched))
      .catch((err: unknown) =>
        this.#options.log.warn({ err }, 'analysis: old data of EHRs were not removed'),
      );
    // Views that cannot be used are found at the start.
    for (const tenant of own) this.of(tenant);
    this.#beginning = setTimeout(() => {
      for (const analysis of this.#opened.values()) analysis.begin();
    }, AFTER_START).unref();
  }

  /**
   * Returns the tables of a tenant; undefined for one without.
   * @throws ViewDefinitionError for its views
   */
  of(tenant: Tenant): Analysis | undefined {
    const known = this.#opened.get(tenant.cacheKey);
    const settings = this.#options.settingsOf(tenant);
    if (known ?? !settings) return known;
    this.#makeFolders();
    const { log, onRemoved, now, wait } = this.#options;
    const { views, dicom, refreshMinutes } = settings;
    const analysis = new Analysis({
      folder: join(this.#tenants, tenant.cacheKey),
      views,
      dicom,
      refreshMinutes,
      sources: this.#sourcesOf(tenant, settings, () => void analysis.refresh()),
      threads: this.threads,
      log: {
        info: (details, message) => log.info({ tenant: tenant.key, ...details }, message),
        warn: (details, message) => log.warn({ tenant: tenant.key, ...details }, message),
      },
      onRemoved,
      now,
      wait,
    });
    this.#opened.set(tenant.cacheKey, analysis);
    return analysis;
  }

  /** Removes the tables of a tenant that was replaced. @param inUse all tenants that are still used */
  async release(tenant: Tenant, inUse: readonly Tenant[]): Promise<void> {
    const { cacheKey } = tenant;
    const analysis = this.#opened.get(cacheKey);
    if (!analysis || inUse.some((one) => one.cacheKey === cacheKey)) return;
    this.#opened.delete(cacheKey);
    await this.#fetched?.release(tenant, inUse);
    await analysis.remove();
  }

  #sourcesOf(tenant: Tenant, settings: TenantSettings, onData: () => void): AnalysisSources {
    if (!settings.isFetched || !this.#fetched) return sourcesOf(tenant, tenant, settings, this.#options);
    const bulk = this.#fetched.open(tenant, typesOf(settings.views), onData);
    return {
      ...sourcesOf(tenant, bulk.record, settings, this.#options),
      fetched: {
        begin: () => bulk.begin(),
        requireAccess: (access) => requirePolicy(access, tenant.authorization.policy),
        requireData: () => bulk.requireData(),
        get time() {
          return bulk.time;
        },
      },
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#beginning);
    await Promise.all([
      this.threads.close(),
      this.#fetched?.close(),
      ...[...this.#opened.values()].map((one) => one.close()),
    ]);
  }
}

/** Returns the types that the record has to have; studies are ours. */
function typesOf(views: readonly unknown[]): string[] {
  const types = tablesOf(views).map(({ view }) => view.resource);
  return [...new Set(['Patient', ...types, ...LINKED_TYPES])]
    .filter((type) => type !== 'ImagingStudy')
    .sort();
}

/** @param kept the tenant, with a record that is here */
function sourcesOf(
  tenant: Tenant,
  kept: Tenant,
  { instances }: TenantSettings,
  { clinical: { tables: record }, imaging: { tables: images } }: Subgraphs,
): AnalysisSources {
  return {
    async version() {
      const [ofRecord, ofImages] = await Promise.all([
        record.recordVersion(kept),
        images.imagesVersion(tenant),
      ]);
      return ofImages === undefined ? undefined : `${ofRecord}\n${ofImages}`;
    },
    record: () => record.record(kept),
    indexes: async () => (await images.indexFiles(tenant)) ?? [],
    studies: () => images.allStudies(kept),
    async *instances() {
      if (instances && (await images.indexFiles(tenant)) === undefined) yield* images.allInstances(kept);
    },
    reachOf: (access, type) => record.reachOf(kept, access, type),
    studyIds: (access) => images.studyIds(tenant, access),
  };
}
