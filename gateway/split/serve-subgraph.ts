import type { Logger } from 'pino';
import type { LocalSubgraph } from '../federation/subgraphs/local-data-source.ts';
import type { ServiceName } from '../federation/request/service-name.ts';
import { GracefulShutdown } from '../http/graceful-shutdown.ts';
import type { Readiness } from '../http/health.ts';
import { metricsServer } from '../http/metrics-server.ts';
import type { Metrics } from '../http/metrics.ts';
import { SettingsError, type Settings } from '../settings.ts';
import type { Tenants } from '../tenants/loading/settings.ts';
import { notPrepared } from '../tenants/loading/not-prepared.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { buildSubgraphApp, type SubgraphAppDeps } from './subgraph-app.ts';

/** A subgraph that is a process of its own. */
export interface SubgraphPart
  extends LocalSubgraph, Pick<SubgraphAppDeps, 'service' | 'routes' | 'functions'> {
  /** Loads the record or the images of a tenant, so that its first request does not wait for that. */
  prepare(tenant: Tenant): Promise<void>;
  /** Closes what only a tenant used that was replaced. @param inUse all tenants that are still used */
  release(tenant: Tenant, inUse: readonly Tenant[]): void;
  /** Returns how far the records are that cannot answer yet. */
  loading(): readonly object[];
  /** Returns the image sources that do not answer. */
  awaySources?: Readiness['awaySources'];
  close(): Promise<void>;
}

/**
 * Returns the subgraph that a command names: `clinical` or `imaging`; undefined for the gateway.
 * @throws SettingsError where the settings are not those of several processes
 */
export function subgraphOf(
  command: string | undefined,
  settings: Pick<Settings, 'split'>,
  env: Readonly<Record<string, string | undefined>>,
): ServiceName | undefined {
  if (command !== 'clinical' && command !== 'imaging') return undefined;
  if (!settings.split || !env['BASE_URL']) {
    const needed = 'CLINICAL_URL, IMAGING_URL, SEALING_KEY and BASE_URL, the same as the gateway has';
    throw new SettingsError(`The process of the ${command} subgraph needs ${needed}.`);
  }
  return command;
}

export interface ServeSubgraphOptions {
  part: SubgraphPart;
  settings: Settings;
  tenants: Tenants;
  log: Logger;
  secrets: readonly string[];
  metrics: Metrics;
  traces: SubgraphAppDeps['traces'];
  audit: NonNullable<SubgraphAppDeps['audit']>;
  /** Returns true when the store that processes share answers; undefined without a store. */
  shared?: (() => boolean) | undefined;
  /** Closes what the process has opened, after the server. */
  close(): Promise<unknown>;
}

/** Serves one subgraph, until the process is told to stop. @returns what a signal does */
export async function serveSubgraph(
  options: ServeSubgraphOptions,
): Promise<(signal: NodeJS.Signals) => void> {
  const { part, settings, tenants, log, shared, metrics: measured } = options;
  const { host, port, metricsPort, shutdownDelaySeconds: delaySeconds } = settings;
  const shutdown = new GracefulShutdown({ delaySeconds, exit: process.exit, log });
  const { baseUrl } = settings;
  const app = await buildSubgraphApp({
    ...part,
    baseUrl,
    tenants,
    log,
    metrics: measured,
    load: settings,
    secrets: options.secrets,
    audit: options.audit,
    traces: options.traces,
    readiness: {
      ready: () => shutdown.isReady,
      loading: part.loading,
      shared,
      rejectedTenants: () => tenants.rejected ?? [],
      awaySources: part.awaySources,
    },
    separateMetricsPort: metricsPort !== undefined,
    now: Date.now,
  });
  const metricsApp = metricsPort === undefined ? undefined : metricsServer(measured);
  shutdown.serves(app.server, async () => {
    await app.close();
    await Promise.all([part.close(), metricsApp?.close()]);
    await options.close();
  });
  for (const tenant of tenants.all) part.prepare(tenant).catch(notPrepared(log, tenant));
  await metricsApp?.listen({ host, port: metricsPort });
  await app.listen({ host, port });
  log.info({ subgraph: part.service, port }, 'the subgraph is served');
  return (signal) => shutdown.begin(signal);
}
