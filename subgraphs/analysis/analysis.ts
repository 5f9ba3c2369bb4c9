import { createHash } from 'node:crypto';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Access } from '../../schema/access/access.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { Datasets, type Dataset, type DatasetLease } from './datasets.ts';
import { loadEngine } from './engine.ts';
import { sqlTypeText } from './parquet-tables.ts';
import { Reaches } from './reaches.ts';
import { rightsTo } from './rights.ts';
import type { AnalysisSources } from './sources.ts';
import type { AnalysisThreads, RunningBuild } from './threads.ts';
import type { TableColumn } from './views/column-types.ts';
import { HIDDEN_TABLES, otherTables, tablesOf } from './views/tables.ts';
import type { ViewDefinition } from './views/view-definition.ts';

/** A table of a tenant, whoever asks. */
export interface AnalysisTable {
  name: string;
  columns: readonly { name: string; type: string; description: string | undefined }[];
  /** Undefined for a table that no view makes. */
  definition: ViewDefinition | undefined;
}

/** The rows of one caller. */
export interface Reach {
  /** A DuckDB file with these rows alone. */
  file: string;
  /** Names of its tables. */
  tables: string[];
  /** Time of the data. */
  time: Date;
  /** Gives it back: call it once, when the answer has ended. */
  release(): void;
}

/** The log of a server. */
export interface AnalysisLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface AnalysisSettings {
  /** Folder of this tenant's datasets and reaches alone. */
  folder: string;
  /** ViewDefinitions of the tenant, besides our own. */
  views: readonly unknown[];
  /** Keywords of DICOM attributes: columns of `imaging_instance` besides those that it has (default: none). */
  dicom?: readonly string[] | undefined;
  /** Minutes between two looks whether the data have changed. */
  refreshMinutes: number;
  sources: AnalysisSources;
  /** Those of the process: the creator closes them. */
  threads: AnalysisThreads;
  log: AnalysisLog;
  /** Is told each reach before its file is removed. */
  onRemoved?: (file: string) => void;
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Milliseconds that a request waits for the first dataset (default: 2,000). */
  wait?: number;
}

const WAIT = 2_000;
const MINUTE = 60_000;
/** Seconds after which a caller, or the build itself, tries again while there is no dataset. */
const AGAIN = 5;
/** Milliseconds after which a first build that has failed is repeated. */
const AFTER_FAILURE = 60_000;

/**
 * The tables of one tenant: a dataset, which is made anew when the data have changed, and the rows of each caller. The creator
 * closes it.
 */
export class Analysis {
  /** All tables of the tenant: those of views, then others. */
  readonly tables: readonly AnalysisTable[];
  readonly #settings: AnalysisSettings;
  readonly #datasets: Datasets;
  readonly #reaches: Reaches;
  /** Names what is made of the data. */
  readonly #form: string;
  readonly #closing = new AbortController();
  /** The loop that keeps the dataset fresh. */
  #keeping: Promise<void> | undefined;
  #refreshing: Promise<void> | undefined;
  #running: RunningBuild | undefined;
  #failure: Fault | undefined;
  #logged: string | undefined;

  /** @throws ViewDefinitionError for views that cannot be used */
  constructor(settings: AnalysisSettings) {
    const { folder, views, dicom = [], now, onRemoved = () => undefined } = settings;
    this.#settings = settings;
    const made = tablesOf(views);
    const others = otherTables(dicom);
    this.tables = [
      ...made.map(({ name, view, definition }) => ({ name, columns: described(view.columns), definition })),
      ...Object.entries(others).map(([name, columns]) => {
        return { name, columns: described(columns), definition: undefined };
      }),
    ];
    this.#form = hashOf([
      made.map(({ name, key, definition }) => [name, key, definition]),
      HIDDEN_TABLES,
      others,
    ]);
    this.#datasets = new Datasets(join(folder, 'datasets'), now);
    this.#reaches = new Reaches(join(folder, 'reaches'), onRemoved);
  }

  /** Makes the first dataset, and keeps it fresh. The first caller begins it too. */
  begin(): void {
    this.#settings.sources.fetched?.begin();
    this.#keeping ??= this.#keepFresh();
  }

  /**
   * Returns the rows of a caller.
   * @param signal ends the wait
   * @throws Fault `insufficient_scope` for a token that may search nothing, `unavailable` before the first dataset is complete,
   * `not_implemented` without the engine, and those of a search of studies
   */
  async reach(access: Access, signal?: AbortSignal): Promise<Reach> {
    const { fetched } = this.#settings.sources;
    fetched?.requireAccess(access);
    await loadEngine();
    this.begin();
    fetched?.requireData();
    const { dataset, release } = await this.#dataset(signal);
    try {
      const { key, tables, task } = await rightsTo(dataset, access, this.#settings.sources);
      signal?.throwIfAborted();
      const lease = await this.#reaches.take(
        key,
        async (file, left) => this.#settings.threads.reach(await task(file), left),
        signal,
      );
      return { ...lease, tables, time: new Date(dataset.time) };
    } finally {
      await release();
    }
  }

  /** Looks now whether the data have changed, and makes a dataset of them. It does not throw: the log has the reason. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refreshed().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** Stops a build that runs. The datasets stay. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#refreshing;
    await this.#keeping;
    this.#reaches.clear();
  }

  /** Closes it, and removes all that it has written: the tenant is gone. */
  async remove(): Promise<void> {
    await this.close();
    await this.#datasets.remove();
    await rm(this.#settings.folder, { recursive: true, force: true });
  }

  async #keepFresh(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.refresh();
      await delay(await this.#pause(), undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Returns the milliseconds until the next look. */
  async #pause(): Promise<number> {
    const often = this.#settings.refreshMinutes * MINUTE;
    if (await this.#datasets.current()) return often;
    const { code, details: { retryAfter } = {} } = this.#failure ?? {};
    if (code === 'not_implemented') return often;
    return Math.min(often, retryAfter === undefined ? AFTER_FAILURE : retryAfter * 1000);
  }

  async #refreshed(): Promise<void> {
    const { folder, sources, log, now = Date.now } = this.#settings;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await chmod(folder, 0o700);
      const time = sources.fetched?.time;
      // It says when it has data.
      if (sources.fetched && !time) return;
      const version = (await sources.version()) ?? `at ${now()}`;
      const before = await this.#datasets.current();
      const dataset = await this.#datasets.build(
        `${this.#form} ${hashOf(version)}`,
        (into) => this.#build(into),
        time,
      );
      this.#failure = undefined;
      this.#logged = undefined;
      if (dataset === before) return;
      this.#reaches.clear();
      log.info({ tables: dataset.tables.length, rows: rowsOf(dataset) }, 'analysis: the tables are made');
      for (const { name: table, refused } of dataset.tables)
        if (refused)
          log.warn({ table, ...refused }, 'analysis: a table is without values of damaged resources');
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#failed(error);
    }
  }

  async #build(folder: string): ReturnType<Parameters<Datasets['build']>[1]> {
    const { views, dicom = [], sources, threads } = this.#settings;
    const [record, indexes] = await Promise.all([sources.record(), sources.indexes()]);
    const feeds = { studies: () => sources.studies(), instances: () => sources.instances() };
    this.#running = threads.build({ folder, views, dicom, record, indexes }, feeds, this.#closing.signal);
    try {
      return await this.#running.tables;
    } finally {
      this.#running = undefined;
    }
  }

  /** Remembers why there is no new dataset. The log has each reason once. */
  #failed(error: unknown): void {
    const isWaiting = error instanceof Fault && error.details.retryAfter !== undefined;
    this.#failure =
      error instanceof Fault && (isWaiting || error.code === 'not_implemented') ? error : unmade(error);
    // Only a failure of this server has a stack. The reason of another one may tell how far it is, and so change.
    const isOurs = !(error instanceof Fault) || error.code === 'internal';
    const reason = error instanceof Error ? error.message : String(error);
    const once = isOurs ? reason : `${error.code} ${error.details.service}`;
    if (once === this.#logged) return;
    this.#logged = once;
    this.#settings.log.warn(
      isOurs ? { err: error } : { code: error.code, reason },
      'analysis: the tables cannot be made anew',
    );
  }

  /** Keeps the newest dataset. A first one that is being made is waited for, for a short time. */
  async #dataset(signal: AbortSignal | undefined): Promise<DatasetLease> {
    const lease = await this.#lease();
    if (lease) return lease;
    const { wait = WAIT } = this.#settings;
    await Promise.race([
      this.#refreshing,
      delay(wait, undefined, { ref: false, signal }).catch(() => undefined),
    ]);
    signal?.throwIfAborted();
    const made = await this.#lease();
    if (made) return made;
    throw this.#running ? stillMaking(this.#running) : (this.#failure ?? stillMaking());
  }

  async #lease(): Promise<DatasetLease | undefined> {
    const lease = await this.#datasets.use();
    if (!lease || lease.dataset.source.startsWith(this.#form)) return lease;
    // Another version of this server has made it.
    await lease.release();
    return undefined;
  }
}

const described = (columns: readonly TableColumn[]): AnalysisTable['columns'] =>
  columns.map((column) => ({
    name: column.name,
    type: sqlTypeText(column),
    description: column.description,
  }));

const hashOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

const rowsOf = ({ tables }: Dataset): number => tables.reduce((sum, { rows }) => sum + rows, 0);

function stillMaking(running?: RunningBuild): Fault {
  const count = running?.progress() ?? 0;
  const far = count === 0 ? '' : `: ${count.toLocaleString('en')} resources and images so far`;
  return new Fault('unavailable', `The tables are being made${far}. Try again later.`, { retryAfter: AGAIN });
}

function unmade(cause: unknown): Fault {
  const message = 'The tables cannot be made. The operator finds the reason in the log.';
  return new Fault('unavailable', message, { retryAfter: AFTER_FAILURE / 1000, cause });
}
