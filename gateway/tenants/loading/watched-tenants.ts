import { repeatedly } from '../../../schema/process/repeatedly.ts';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { unknownTenant } from './dynamic-tenants.ts';
import type { Tenants, TenantSettings } from './settings.ts';
import { TenantsInUse } from './tenants-in-use.ts';
import { isTenantFile, readTenantFile, readTenants } from './tenants.ts';

/** Called when tenants change. */
export interface TenantChanges {
  /** Prepares a tenant that is new or was changed. */
  loaded(tenant: Tenant): void;
  /**
   * Closes what a tenant used that was replaced or removed; its last request is over.
   * @param inUse all tenants that are still used
   */
  released(tenant: Tenant, inUse: readonly Tenant[]): void;
  /** Counts a change. */
  count(result: 'loaded' | 'removed' | 'rejected'): void;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** A file of the folder. */
interface File {
  /** Differs for each content. */
  stamp: string;
  /** The tenant that is served for it, and the stamp that it was read with. */
  served?: { tenant: Tenant; stamp: string } | undefined;
  /** Why its content is rejected. */
  wrong?: string;
}

type Files = ReadonlyMap<string, File>;
type Stamps = ReadonlyMap<string, string>;

/** Stands for the folder among the rejected files. */
const FOLDER = 'TENANTS_DIR';

/**
 * The tenants of a folder, read again when their files change. Contents are compared: Kubernetes replaces a folder by another
 * link, and not every volume tells of changes. A change counts when it is seen twice, because a program may be writing. A
 * wrong file is rejected as a whole, and the tenant before it is served. The creator closes it.
 */
export class WatchedTenants implements Tenants {
  readonly skipped: Tenants['skipped'];
  readonly warnings: Tenants['warnings'];
  readonly dynamic: Tenants['dynamic'];
  readonly begin = (tenant: Tenant): (() => void) => this.#use.begin(tenant);
  readonly #settings: TenantSettings;
  readonly #use = new TenantsInUse();
  readonly #ending = new AbortController();
  #files: Files;
  /** The files as they were seen last. */
  #seen: Stamps;
  /** The tenants of `#files`. */
  #served: ReadonlyMap<string, Tenant>;
  /** Why the folder is rejected. */
  #folder: string | undefined;
  #changes: TenantChanges | undefined;

  /** @throws SettingsError that names all errors of all files */
  constructor(settings: TenantSettings) {
    const { all, skipped, warnings, dynamic } = readTenants(settings);
    this.#settings = settings;
    this.skipped = skipped;
    this.warnings = warnings;
    this.dynamic = dynamic;
    this.#served = new Map(all.map((tenant) => [tenant.key, tenant]));
    const files = [...all, ...skipped].map(({ key }) => {
      const [name, tenant] = [`${key}.json`, this.#served.get(key)];
      const stamp = this.#stampOf(name, tenant);
      return [name, { stamp, served: tenant && { tenant, stamp } }] as const;
    });
    this.#files = new Map(files);
    this.#seen = stampsOf(this.#files);
  }

  get all(): readonly Tenant[] {
    return [...this.#served.values()];
  }

  get rejected(): readonly string[] {
    const files = [...this.#files].flatMap(([name, { wrong }]) => (wrong === undefined ? [] : [name]));
    return this.#folder === undefined ? files : [FOLDER, ...files];
  }

  byKey(key: string): Tenant {
    const tenant = this.#served.get(key);
    if (!tenant) throw unknownTenant(this.#served.has('demo'));
    return tenant;
  }

  /** Watches until it is closed. @param seconds between two looks; 0: it looks only when it is told to */
  async watch(seconds: number, changes: TenantChanges): Promise<void> {
    this.#changes = changes;
    if (seconds > 0) await repeatedly(seconds * 1000, this.#ending.signal, () => this.look());
  }

  close(): void {
    this.#ending.abort();
  }

  /** Takes up what has changed. @param isWritten true when nobody is writing: a change then counts at once */
  look(isWritten = false): void {
    const names = this.#names();
    if (!names) return;
    const stamps = new Map(
      names.map((name) => [name, this.#stampOf(name, this.#files.get(name)?.served?.tenant)]),
    );
    const isSettled = isWritten || isSame(stamps, this.#seen);
    this.#seen = stamps;
    if (isSettled) this.#serve(new Map([...stamps].map(([name, stamp]) => [name, this.#read(name, stamp)])));
  }

  /** Returns the names of the files; undefined for a folder that is away: its tenants stay. */
  #names(): readonly string[] | undefined {
    const { directory } = this.#settings;
    let wrong: string | undefined;
    let names: string[] = [];
    try {
      names = readdirSync(directory).filter(isTenantFile);
      // A volume that is not mounted looks like this.
      if (names.length === 0 && this.#files.size > 0) wrong = `${directory} has no tenant file any more`;
    } catch (error) {
      wrong = `${directory} cannot be read (${(error as NodeJS.ErrnoException).code})`;
    }
    if (wrong !== undefined && wrong !== this.#folder) this.#reject(FOLDER, wrong, true);
    this.#folder = wrong;
    return wrong === undefined ? names : undefined;
  }

  #stampOf(name: string, tenant: Tenant | undefined): string {
    const hash = createHash('sha256');
    const { views = [], questions = [] } = tenant?.analysis ?? {};
    const named = [tenant?.graphql.trustedDocumentsFile, ...views, ...questions];
    for (const file of [join(this.#settings.directory, name), ...named]) {
      try {
        if (file !== undefined) hash.update(readFileSync(file)).update('\0');
      } catch (error) {
        hash.update(String((error as NodeJS.ErrnoException).code));
      }
    }
    return hash.digest('base64url');
  }

  /** Returns a file as it is now. One that was rejected is read again: a file that it names may have come. */
  #read(name: string, stamp: string): File {
    const known = this.#files.get(name);
    if (known && known.stamp === stamp && known.wrong === undefined) return known;
    const { served } = known ?? {};
    if (served?.stamp === stamp) return { stamp, served };
    const read = readTenantFile(this.#settings, name);
    const wrong = 'wrong' in read ? read.wrong.join('\n') : read.skipped;
    if ('wrong' in read || wrong !== undefined) return { stamp, served, wrong: wrong! };
    for (const warning of read.warnings) this.#changes?.log.warn(warning);
    return { stamp, served: { tenant: read.tenant, stamp: this.#stampOf(name, read.tenant) } };
  }

  /** Serves other files, all at once, and says what has changed. */
  #serve(files: Files): void {
    const before = this.#files;
    this.#files = files;
    this.#served = new Map(
      [...files.values()]
        .flatMap(({ served }) => (served ? [served.tenant] : []))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map((tenant) => [tenant.key, tenant]),
    );
    for (const name of new Set([...before.keys(), ...files.keys()])) {
      const [old, now] = [before.get(name), files.get(name)];
      if (now?.wrong !== undefined && now.wrong !== old?.wrong)
        this.#reject(name, now.wrong, now.served !== undefined);
      const [replaced, tenant] = [old?.served?.tenant, now?.served?.tenant];
      if (replaced === tenant) continue;
      const result = tenant ? 'loaded' : 'removed';
      this.#changes?.count(result);
      this.#changes?.log.info({ tenant: (tenant ?? replaced)?.key }, `tenant file ${result}`);
      if (tenant) this.#changes?.loaded(tenant);
      if (replaced) this.#use.replaced(replaced, () => this.#release(replaced));
    }
  }

  #release(tenant: Tenant): void {
    this.#changes?.released(tenant, [...this.#served.values(), ...this.#use.old]);
  }

  #reject(file: string, reason: string, isServed: boolean): void {
    this.#changes?.count('rejected');
    const effect = isServed ? 'the tenant before it is still served' : 'there is no such tenant yet';
    this.#changes?.log.error({ file, reason }, `tenant file rejected; ${effect}`);
  }
}

const stampsOf = (files: Files): Stamps => new Map([...files].map(([name, { stamp }]) => [name, stamp]));

const isSame = (one: Stamps, other: Stamps): boolean =>
  one.size === other.size && [...one].every(([name, stamp]) => other.get(name) === stamp);
