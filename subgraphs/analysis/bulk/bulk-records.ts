import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import { BulkRecord, type BulkSettings } from './bulk-record.ts';
import { recordPath } from './record-versions.ts';

export interface BulkRecordsOptions extends Pick<BulkSettings, 'clinical' | 'log' | 'now'> {
  /** Folder for the records; created when needed. One process uses it. */
  folder: string;
  /** Returns the requests of the gateway itself to the EHR of a tenant. */
  requests(tenant: Tenant): BulkSettings['send'];
}

/**
 * The records that are fetched from EHRs for tables. A tenant whose configuration changes goes on with its data, unless its EHR
 * is another one.
 */
export class BulkRecords {
  readonly #options: BulkRecordsOptions;
  readonly #opened = new Map<string, { bulk: BulkRecord; cacheKey: string }>();

  constructor(options: BulkRecordsOptions) {
    this.#options = options;
  }

  /** Opens the record of a tenant. One of an older configuration is closed, and waited for. */
  open(tenant: Tenant, types: readonly string[], onData: () => void): BulkRecord {
    const { folder, requests, clinical, log, now } = this.#options;
    const name = nameOf(tenant);
    const { refreshMinutes: minutes, group } = tenant.analysis;
    const bulk = new BulkRecord({
      tenant,
      group,
      folder: join(folder, name),
      types,
      minutes,
      send: requests(tenant),
      clinical,
      log,
      now,
      onData,
      after: this.#opened.get(name)?.bulk.close(),
    });
    this.#opened.set(name, { bulk, cacheKey: tenant.cacheKey });
    return bulk;
  }

  /** Removes the data that are of none of these tenants. */
  async keepOnly(tenants: readonly Tenant[]): Promise<void> {
    const { folder, clinical } = this.#options;
    const kept = new Set(tenants.map(nameOf));
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (kept.has(name)) continue;
      const path = recordPath(join(folder, name));
      await clinical.discard({ clinical: { type: 'store', path } });
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }

  /** Closes the record of a tenant that was replaced, and removes its data if no tenant goes on with them. */
  async release(tenant: Tenant, inUse: readonly Tenant[]): Promise<void> {
    const name = nameOf(tenant);
    const opened = this.#opened.get(name);
    if (opened?.cacheKey !== tenant.cacheKey) return;
    if (inUse.some((one) => nameOf(one) === name)) return opened.bulk.close();
    this.#opened.delete(name);
    await opened.bulk.remove();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#opened.values()].map(({ bulk }) => bulk.close()));
  }
}

/** Names the data of a tenant: another EHR has other ids. */
const nameOf = ({ key, recordKey }: Tenant): string => `${key}@${recordKey}`;
