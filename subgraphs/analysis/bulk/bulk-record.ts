import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Fault } from '../../../schema/fault/fault.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import type { StateLog } from '../../../schema/outbound/circuit-breakers.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { faultOf, isPassing, reasonOf } from './bulk-fault.ts';
import { BulkServer, type BulkManifest, type SendBulk } from './bulk-server.ts';
import { Download } from './download.ts';
import { RecordVersions, type RecordState } from './record-versions.ts';

/** The stores of records that are folders: the clinical subgraph has them. */
export interface RecordStores {
  /** Loads the store, unless nothing has changed. */
  prepare(record: Tenant): Promise<void>;
  /** Removes the store. */
  discard(record: Pick<Tenant, 'clinical'>): Promise<void>;
}

export interface BulkSettings {
  /** A tenant whose record is an EHR's. */
  tenant: Tenant;
  /** Id of the Group that is exported; undefined: all patients. */
  group?: string | undefined;
  /** Absolute path of a folder of its own; created when needed. One process uses it. */
  folder: string;
  /** Types that the tables need. */
  types: readonly string[];
  /** Minutes between two exports. */
  minutes: number;
  send: SendBulk;
  clinical: RecordStores;
  log: StateLog;
  /** Is called when there are data, and after each export. */
  onData?: (() => void) | undefined;
  /** The end of another one that uses the folder. */
  after?: Promise<void> | undefined;
  /** Milliseconds since the epoch. */
  now?: (() => number) | undefined;
  /** Milliseconds before a file is asked for again (for tests). */
  pause?: number | undefined;
}

const MINUTE = 60_000;
/** Milliseconds after which everything is fetched again: an EHR may not tell all that was deleted. */
const WEEK = 7 * 24 * 60 * MINUTE;
/** Milliseconds that an export of the EHR may take. */
const LONGEST_EXPORT = 24 * 60 * MINUTE;
/** Seconds after which callers may ask again for the first data. */
const RETRY = 60;

/** An export that runs at the EHR; it is taken up after a restart. */
interface Pending {
  source: string;
  types: readonly string[];
  status: string;
  since?: string | undefined;
  /** Milliseconds since the epoch. */
  began: number;
}

/**
 * The record of an EHR, fetched by its export (Bulk Data Access 3.0): first everything, then what has changed, everything again
 * once a week. Files that are not complete are never used: until all are there, and while the EHR is away, the data stay as
 * they are.
 */
export class BulkRecord {
  /** The tenant with the fetched record in the place of the EHR's. */
  readonly record: Tenant;
  readonly #settings: BulkSettings;
  readonly #server: BulkServer;
  readonly #versions: RecordVersions;
  readonly #source: string;
  readonly #pending: string;
  readonly #now: () => number;
  readonly #ending = new AbortController();
  #state: RecordState | undefined;
  #opened = false;
  #time: Date | undefined;
  #failure: Fault | undefined;
  #refreshing: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(settings: BulkSettings) {
    const { tenant, folder, group, types, send, now = Date.now } = settings;
    const base = tenant.clinical.type === 'fhir' ? tenant.clinical.baseUrl : '';
    this.#settings = settings;
    this.#now = now;
    this.#source = [base, group].join(' ').trim();
    this.#versions = new RecordVersions(folder);
    this.#pending = join(folder, 'pending.json');
    this.#server = new BulkServer({ base, group, types, send, now });
    this.record = { ...tenant, clinical: { type: 'store', path: this.#versions.path } };
  }

  /** Moment up to which the data have all changes; undefined before the first ones. */
  get time(): Date | undefined {
    return this.#time;
  }

  /**
   * Refuses while there are no data.
   * @throws Fault `not_implemented` for an EHR without Bulk Data, `unavailable` otherwise
   */
  requireData(): void {
    if (this.#time) return;
    if (this.#failure?.code === 'not_implemented') throw this.#failure;
    const message = this.#failure
      ? 'The data of the EHR could not be fetched yet. The operator finds the reason in the log.'
      : 'The data of the EHR are being fetched for the first time. Try again later.';
    throw new Fault('unavailable', message, { service: 'clinical', retryAfter: RETRY });
  }

  /** Begins to keep the data up to date. */
  begin(): void {
    this.#running ??= this.#keepUpToDate(this.#ending.signal);
  }

  async #keepUpToDate(ending: AbortSignal): Promise<void> {
    const { minutes } = this.#settings;
    await this.#prepare().catch((error: unknown) => this.#failed(error));
    // After a restart the EHR is asked no earlier than without.
    const age = this.#state ? Math.max(0, this.#now() - Date.parse(this.#state.time)) : Infinity;
    let wait = Math.max(0, minutes * MINUTE - age);
    while (!ending.aborted) {
      await delay(wait, undefined, { signal: ending, ref: false }).catch(() => undefined);
      if (!ending.aborted) await this.refresh();
      // The first data are missed.
      const isMissed = !this.#time && this.#failure?.code !== 'not_implemented';
      wait = isMissed ? Math.min(minutes * MINUTE, MINUTE) : minutes * MINUTE;
    }
  }

  /** Fetches what has changed. What fails is in the log; the data then stay as they are. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#refreshed(this.#ending.signal).finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  /** Ends what runs. */
  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all([this.#running, this.#refreshing]);
  }

  /** Removes the data of a tenant that is gone. */
  async remove(): Promise<void> {
    await this.close();
    await this.#settings.clinical.discard(this.record);
    await this.#versions.remove();
  }

  async #refreshed(ending: AbortSignal): Promise<void> {
    try {
      await this.#prepare();
      await this.#fetch(ending);
      if (this.#failure) this.#settings.log.info(this.#where(), 'the EHR gives its export again');
      this.#failure = undefined;
    } catch (error) {
      if (!ending.aborted) this.#failed(error);
    }
  }

  /** Takes over the data of the last process. */
  async #prepare(): Promise<void> {
    if (!this.#opened) {
      await this.#settings.after;
      await mkdir(this.#settings.folder, { recursive: true, mode: 0o700 });
      this.#state = await this.#versions.open(this.#source);
      this.#opened = true;
    }
    if (!this.#time) await this.#load();
  }

  async #load(): Promise<void> {
    if (!this.#state) return;
    await this.#settings.clinical.prepare(this.record);
    this.#time = new Date(this.#state.time);
    this.#settings.onData?.();
  }

  async #fetch(ending: AbortSignal): Promise<void> {
    const pending = (await this.#readPending()) ?? (await this.#begun(ending));
    const { status, began } = pending;
    const until = began + LONGEST_EXPORT;
    try {
      await this.#adopt(await this.#server.wait(status, until, ending), pending, ending);
    } catch (error) {
      // The export is taken up at the next run if only the EHR was away, or this process ends.
      if (!ending.aborted && (!isPassing(error) || this.#now() > until)) await this.#forget(status, ending);
      throw error;
    }
    await this.#forget(status, ending);
    await this.#load();
  }

  /** Begins an export, of everything or of what has changed. */
  async #begun(ending: AbortSignal): Promise<Pending> {
    const { types } = this.#settings;
    const state = this.#state;
    const hasAll = state && types.every((type) => state.types.includes(type));
    const since = hasAll && this.#now() - state.wholeAt < WEEK ? state.time : undefined;
    const began = this.#now();
    const status = await this.#server.begin(since, ending);
    const pending: Pending = { source: this.#source, types, status, since, began };
    await writeFile(`${this.#pending}.new`, JSON.stringify(pending), { mode: 0o600, flush: true });
    await rename(`${this.#pending}.new`, this.#pending);
    return pending;
  }

  /** Returns the export that the last process has begun, if it is what is needed now. */
  async #readPending(): Promise<Pending | undefined> {
    const text = await readFile(this.#pending, 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    const pending = JSON.parse(text) as Pending;
    const { source, types, since } = pending;
    const isSame = source === this.#source && String(types) === String(this.#settings.types);
    if (isSame && (since === undefined || since === this.#state?.time)) return pending;
    await rm(this.#pending, { force: true });
    return undefined;
  }

  async #forget(status: string, ending: AbortSignal): Promise<void> {
    await rm(this.#pending, { force: true });
    await this.#server.forget(status, ending);
  }

  /** Downloads the files of an export, and puts them in place when all are there. */
  async #adopt(
    manifest: BulkManifest,
    { since, began }: Pick<Pending, 'since' | 'began'>,
    ending: AbortSignal,
  ): Promise<void> {
    const run = (this.#state?.run ?? 0) + 1;
    const folder = await this.#versions.begin(run);
    const download = new Download(this.#settings, { server: this.#server, manifest, ending });
    await download.tellIssues();
    await download.save(folder);
    const { types } = this.#settings;
    const { transactionTime } = manifest;
    // Where the clock of the EHR is wrong, changes from now on must not be before the time of the data.
    const time = Date.parse(transactionTime) > began ? new Date(began).toISOString() : transactionTime;
    const of = { source: this.#source, types, time, run };
    const state = { ...of, wholeAt: since === undefined ? began : this.#state!.wholeAt };
    if (since === undefined) await this.#versions.replace(state);
    else await this.#versions.add(state, await download.deleted());
    this.#state = state;
  }

  /** Writes a failure into the log, once for each reason. */
  #failed(error: unknown): void {
    const fault = faultOf(error);
    const isKnown = reasonOf(this.#failure) === reasonOf(fault);
    this.#failure = fault;
    if (isKnown) return;
    const message = this.#time
      ? 'the EHR gave no export: the data from before are used'
      : 'the EHR gave no export: there are no tables';
    const { log } = this.#settings;
    if (fault.code === 'not_implemented') log.warn({ ...this.#where(), reason: reasonOf(fault) }, message);
    else logFault(log, fault, this.#where(), message);
  }

  #where(): object {
    return { tenant: this.#settings.tenant.key, dataOf: this.#time?.toISOString() };
  }
}
