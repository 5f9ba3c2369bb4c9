import type BetterSqlite3 from 'better-sqlite3';
import { createHmac, hkdfSync, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { boundedCache } from '../../schema/cache/bounded-cache.ts';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { Fault } from '../../schema/fault/fault.ts';
import type { FaultLog } from '../../schema/fault/log-fault.ts';
import { markFormat } from '../../schema/process/data-format.ts';
import { repeatedly } from '../../schema/process/repeatedly.ts';
import { Database } from '../../schema/process/sqlite.ts';
import { sealer } from '../state/sealed.ts';
import { delivery, type Delivered, type Fate } from './delivery.ts';
import type { AuditedTenant } from './request-audit.ts';

/** Of the table. */
const FORMAT = 1;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Accesses in the file, of all tenants: about 400 MB. */
const MOST = 500_000;
/** Refused accesses of one caller in an hour: a caller who guesses ids does not fill the file. */
const MOST_REFUSED = 100;
/** Milliseconds for which accesses are gathered for one write. */
const GATHERED = 20;
const BATCH = 100;
const MOST_WAITING = 10_000;
/** Milliseconds between two purges. */
const PURGED_EVERY = 60_000;
/** Accesses in one purge: it takes some milliseconds. */
const MOST_PURGED = 5000;

export interface AccessListOptions {
  /** The SQLite file. It is made when there is something to write. */
  file: string;
  /** SEALING_KEY: the first one seals, all open. */
  secrets: readonly string[];
  /** Milliseconds since the epoch. */
  now: () => number;
  log: FaultLog;
  count?(fate: Fate, accesses: number): void;
  /** Accesses in the file. */
  most?: number;
  /** Milliseconds before the first retry of a write that failed. */
  backOff?: number;
}

/** A patient of a tenant, and since when their accesses are listed: milliseconds since the epoch. */
export interface ListOf {
  tenant: string;
  patient: string;
  since: number;
}

export interface ListedAccess {
  id: string;
  /** Key of its study, as `studies` has it. */
  study: string | null;
  event: AuditEvent;
}

/** One page of a list, newest first. */
export interface AskedPage {
  /** Keys of studies, by `studies`, whose accesses are absent. */
  hidden: readonly string[];
  /** Alternatives of comparisons of times that all hold, for each criterion: milliseconds since the epoch. */
  times: readonly (readonly (readonly Comparison[])[])[];
  /** Id of the access after which the page begins. */
  after?: string | undefined;
  count: number;
}

/** On the millisecond of an access: its begin, or its end, which is no part of it. */
type Comparison = readonly [end: 'low' | 'high', operator: '<' | '<=' | '>' | '>=', time: number];

interface Row {
  id: string;
  study: string | null;
  sealed: string;
}

/** An access on its way to the file. */
interface Waiting {
  tenant: string;
  keep: number;
  event: AuditEvent;
  same: string;
}

/**
 * Accesses to the data of patients, for the patients (`audit.keep`), beside the destination of the audit. Equal accesses of
 * one caller within an hour are one: an image has hundreds of objects. Events are sealed; patients, studies and equal
 * accesses are found by an HMAC. No request waits for it or fails because of it. Processes with one `DATA_DIR` share it.
 */
export class AccessList {
  readonly #options: AccessListOptions;
  readonly #sealer;
  /** Keys of the HMACs: the first one is written, all are searched. */
  readonly #keys: readonly Buffer[];
  readonly #writing;
  readonly #ending = new AbortController();
  /** Accesses that are in the file, or on their way. */
  readonly #known = boundedCache<true>({ entries: 20_000, seconds: HOUR / 1000 });
  readonly #refused = boundedCache<number>({ entries: 10_000, seconds: HOUR / 1000 });
  #database: BetterSqlite3.Database | undefined;
  #isFull = false;

  constructor(options: AccessListOptions) {
    this.#options = options;
    const { secrets, log, count = () => undefined, backOff = 500 } = options;
    this.#sealer = sealer(secrets, 'smart-imaging-gateway access list');
    const info = 'smart-imaging-gateway names in the access list';
    this.#keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', info, 32)));
    this.#writing = delivery<Waiting>((batch) => this.#write(batch), {
      most: MOST_WAITING,
      batch: BATCH,
      backOff,
      log,
      count,
      name: 'accesses for the list of patients',
    });
    void repeatedly(PURGED_EVERY, this.#ending.signal, () => this.purge());
  }

  /** Lists an access, if its tenant keeps a list and its patient and caller are known. Never throws and never waits. */
  add({ key: tenant, audit: { keep } }: Pick<AuditedTenant, 'key' | 'audit'>, event: AuditEvent): void {
    const { patient, client, user, action, type, study, target, tool, outcome } = event;
    if (keep === 0 || patient === undefined || (client ?? user) === undefined) return;
    const hour = Math.floor(this.#options.now() / HOUR);
    const read = action === 'read' ? target : undefined;
    const same = JSON.stringify([
      hour,
      tenant,
      patient,
      client,
      user,
      action,
      type,
      study,
      read,
      tool,
      outcome,
    ]);
    if (this.#known.has(same)) return;
    if (outcome.kind === 'denied') {
      const caller = JSON.stringify([hour, tenant, client, user]);
      const refused = this.#refused.get(caller) ?? 0;
      if (refused >= MOST_REFUSED) return;
      this.#refused.set(caller, refused + 1);
    }
    this.#known.set(same, true);
    this.#writing.add({ tenant, keep, event, same });
  }

  /**
   * Returns the Study Instance UIDs that the accesses of a patient name, by their keys.
   * @throws Fault `unavailable` when the file cannot be read, as all that read it
   */
  studies(of: ListOf): ReadonlyMap<string, string> {
    const select = `select min(row), id, study, sealed from access where ${OF_PATIENT} and study is not null group by study`;
    const rows = this.#read((database) => database.prepare<object, Row>(select).all(this.#named(of)));
    return new Map(
      rows.flatMap((row): [string, string][] => {
        const uid = this.#opened(row)?.event.study;
        return uid === undefined ? [] : [[row.study!, uid]];
      }),
    );
  }

  /** @returns undefined when the list has no access with the id `after` */
  page(of: ListOf, { hidden, times, after, count }: AskedPage) {
    const where = [OF_PATIENT, SHOWN, ...times.map(timesSql)].join(' and ');
    const named = { ...this.#named(of), hidden: JSON.stringify(hidden) };
    return this.#read((database) => {
      const total = database
        .prepare(`select count(*) from access where ${where}`)
        .pluck()
        .get(named) as number;
      const begin = `select row, time from access where id = @after and ${OF_PATIENT}`;
      const place =
        after === undefined
          ? { row: Number.MAX_SAFE_INTEGER, time: Number.MAX_SAFE_INTEGER }
          : database.prepare<object, { row: number; time: number }>(begin).get({ ...named, after });
      if (!place) return undefined;
      const rows = database
        .prepare<object, Row>(
          `select id, study, sealed from access where ${where} and (time, row) < (@time, @row)
           order by time desc, row desc limit @count`,
        )
        .all({ ...named, ...place, count: count + 1 });
      const isLast = rows.length <= count;
      const accesses = rows.slice(0, count).flatMap((row) => this.#opened(row) ?? []);
      return { total, accesses, next: isLast ? undefined : rows[count - 1]?.id };
    });
  }

  /** Returns one access of a patient; undefined when the list does not have it. */
  find(of: ListOf, id: string): ListedAccess | undefined {
    const select = `select id, study, sealed from access where id = @id and ${OF_PATIENT}`;
    const row = this.#read((database) =>
      database.prepare<object, Row>(select).get({ ...this.#named(of), id }),
    );
    return row && this.#opened(row);
  }

  /** Deletes the accesses whose time is over. */
  purge(): void {
    if (!this.#database && !existsSync(this.#options.file)) return;
    try {
      const over = 'select row from access where until <= ? limit ?';
      this.#open().prepare(`delete from access where row in (${over})`).run(this.#options.now(), MOST_PURGED);
    } catch (err) {
      this.#options.log.error({ err }, 'the list of accesses cannot be purged');
      this.#reopen();
    }
  }

  /** Writes what waits, for a few seconds at most. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#writing.close(5000);
    this.#reopen();
  }

  async #write(batch: readonly Waiting[]): Promise<Delivered[]> {
    await delay(GATHERED);
    try {
      const database = this.#open();
      const insert = database.prepare(
        `insert or ignore into access (id, patient, study, same, time, until, sealed)
         values (?, ?, ?, ?, ?, ?, ?)`,
      );
      database.transaction(() => {
        for (const { tenant, keep, event, same } of batch) {
          const id = randomUUID();
          const time = Date.parse(event.time);
          const [patient] = this.#hashes(tenant, 'patient', event.patient!);
          const study = event.study === undefined ? null : this.#hashes(tenant, 'study', event.study)[0];
          const [hash] = this.#hashes(tenant, 'same', same);
          const sealed = this.#sealer.seal(JSON.stringify(event), id);
          insert.run(id, patient, study, hash, time, time + keep * DAY, sealed);
        }
      })();
      this.#bound(database);
    } catch (error) {
      this.#reopen();
      throw error;
    }
    return batch.map((): Delivered => 'recorded');
  }

  /** Deletes the oldest accesses of a file that is full. */
  #bound(database: BetterSqlite3.Database): void {
    const { most = MOST, log } = this.#options;
    const oldest = 'delete from access where row <= (select max(row) from access) - ?';
    const { changes } = database.prepare(oldest).run(most);
    if (changes > 0 && !this.#isFull)
      log.warn({ most }, 'the list of accesses is full: its oldest entries end before their time');
    this.#isFull ||= changes > 0;
  }

  #opened({ id, study, sealed }: Row): ListedAccess | undefined {
    const text = this.#sealer.open(sealed, id);
    return text === undefined ? undefined : { id, study, event: JSON.parse(text) as AuditEvent };
  }

  #named({ tenant, patient, since }: ListOf) {
    return { patients: JSON.stringify(this.#hashes(tenant, 'patient', patient)), since };
  }

  /** Returns the HMAC of a value by each key. */
  #hashes(...parts: readonly string[]): string[] {
    const text = JSON.stringify(parts);
    return this.#keys.map((key) => createHmac('sha256', key).update(text).digest('base64url').slice(0, 27));
  }

  #read<T>(run: (database: BetterSqlite3.Database) => T): T {
    try {
      return run(this.#open());
    } catch (cause) {
      this.#reopen();
      const message = 'The list of who has looked cannot be read at the moment; try again later.';
      throw new Fault('unavailable', message, { retryAfter: 60, cause });
    }
  }

  #open(): BetterSqlite3.Database {
    if (this.#database) return this.#database;
    mkdirSync(dirname(this.#options.file), { recursive: true, mode: 0o700 });
    const database = new Database(this.#options.file);
    try {
      markFormat(database, FORMAT);
      database.pragma('journal_mode = WAL');
      database.pragma('synchronous = NORMAL');
      database.pragma('busy_timeout = 100');
      database.exec(
        `create table if not exists access (
           row integer primary key autoincrement, id text not null unique, patient text not null, study text,
           same text not null unique, time integer not null, until integer not null, sealed text not null
         ) strict;
         create index if not exists access_of_patient on access (patient, time);
         create index if not exists access_until on access (until);`,
      );
    } catch (error) {
      database.close();
      throw error;
    }
    return (this.#database = database);
  }

  /** Closes the file; what comes next opens it again, as it may have been replaced. */
  #reopen(): void {
    this.#database?.close();
    this.#database = undefined;
  }
}

const OF_PATIENT = 'patient in (select value from json_each(@patients)) and time >= @since';
const SHOWN = '(study is null or study not in (select value from json_each(@hidden)))';

/** Writes one criterion of times in SQL: its alternatives of comparisons. */
function timesSql(alternatives: readonly (readonly Comparison[])[]): string {
  const compared = ([end, operator, time]: Comparison) =>
    `time ${operator} ${Math.trunc(end === 'low' ? time : time - 1)}`;
  return `(${alternatives.map((all) => all.map(compared).join(' and ')).join(' or ')})`;
}
