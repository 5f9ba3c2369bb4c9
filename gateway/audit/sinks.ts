import type { Registry } from 'prom-client';
import { Counter } from 'prom-client';
import { boundedCache } from '../../schema/cache/bounded-cache.ts';
import { tenantBase } from '../../schema/http/request.ts';
import type { AuditConfig } from '../../schema/tenant/tenant.ts';
import type { AuditEvent } from '../../schema/access/audit.ts';
import type { FaultLog } from '../../schema/fault/log-fault.ts';
import type { AccessList } from './access-list.ts';
import { AuditLines } from './audit-lines.ts';
import type { Delivery, Fate } from './delivery.ts';
import { delivery } from './delivery.ts';
import { fhirSink } from './fhir-sink.ts';
import { fileSink } from './file-sink.ts';
import type { AuditedTenant, AuditEvents } from './request-audit.ts';

export interface AuditSinksDeps {
  /** Public base of the gateway. */
  baseUrl: string;
  /** Writes lines of NDJSON, each with its line break. */
  stdout: (lines: string) => void;
  /** Returns the fetch for a tenant's repository: a guarded one when the tenant is dynamic (SM-15). */
  fetch: (tenant: AuditedTenant) => typeof globalThis.fetch;
  /** Seconds since the epoch. */
  now: () => number;
  log: FaultLog;
  /** Takes the accesses that patients can list, besides. */
  accessList?: Pick<AccessList, 'add'> | undefined;
  /** Registry of the metric that counts records. */
  registry?: Registry;
  /** Records that may wait for one destination. */
  most?: number;
  /** Milliseconds before the first retry at a destination that failed. */
  backOff?: number;
  /** Milliseconds to deliver waiting records when the process stops. */
  grace?: number;
}

const MOST = 10_000;
/** Destinations that stay open: dynamic tenants may name any number of them. */
const DESTINATIONS = 100;
const FILE_BATCH = 1000;
const FHIR_BATCH = 8;
const GRACE = 5000;

/**
 * Writes AuditEvents where `audit` of each tenant's file says: as NDJSON to stdout or a file, or to a FHIR server. Lines for
 * stdout of one turn of the event loop are one write, at its end or when an answer is sent.
 */
export function auditSinks(deps: AuditSinksDeps): {
  record: AuditEvents & { flush(): void };
  close(): Promise<void>;
} {
  const { baseUrl, stdout, fetch, now, log, registry, most = MOST, backOff = 500, grace = GRACE } = deps;
  const counter = new Counter({
    name: 'audit_records_total',
    help: 'Audit records by destination and fate',
    labelNames: ['destination', 'fate'],
    registers: registry ? [registry] : [],
  });
  const closing = new Set<Promise<void>>();
  const destinations = boundedCache<Delivery & { end(): Promise<void> }>({
    entries: DESTINATIONS,
    dispose: (destination) => {
      const closed = destination.end().finally(() => closing.delete(closed));
      closing.add(closed);
    },
  });
  const counting = (destination: string) => (fate: Fate, records: number) =>
    counter.inc({ destination, fate }, records);
  const toStdout = counter.labels('stdout', 'recorded');
  const lines = new AuditLines();
  let waiting = '';
  const flush = (): void => {
    if (waiting === '') return;
    const text = waiting;
    waiting = '';
    stdout(text);
  };

  const destinationOf = (tenant: AuditedTenant, audit: Exclude<AuditConfig, { type: 'stdout' }>) => {
    const { dynamic } = tenant;
    const key = JSON.stringify([audit, dynamic]);
    const known = destinations.get(key);
    if (known) return known;
    const options = { most, backOff, log, count: counting(audit.type) };
    const file = audit.type === 'file' ? fileSink(audit.path) : undefined;
    const made =
      audit.type === 'fhir'
        ? delivery(fhirSink(audit, fetch(tenant), now), { ...options, batch: FHIR_BATCH })
        : delivery(file!.write, { ...options, batch: FILE_BATCH });
    const destination = {
      ...made,
      async end() {
        await made.close(grace);
        await file?.close();
      },
    };
    destinations.set(key, destination);
    return destination;
  };

  const record = (tenant: AuditedTenant, event: AuditEvent): void => {
    // The path of a dynamic tenant is a secret (SM-14); its key is a hash.
    const { audit, dynamic, key, path } = tenant;
    deps.accessList?.add(tenant, event);
    const base = tenantBase(baseUrl, { path: dynamic ? `dyn/${key}` : path });
    const line = lines.of(event, base);
    if (audit.type !== 'stdout') return destinationOf(tenant, audit).add(line);
    if (waiting === '') setImmediate(flush);
    waiting += `${line}\n`;
    toStdout.inc();
  };

  return {
    record: Object.assign(record, { flush }),
    async close() {
      flush();
      destinations.clear();
      await Promise.all(closing);
    },
  };
}
