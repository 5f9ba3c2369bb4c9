import type { FastifyPluginAsync } from 'fastify';
import { Gauge } from 'prom-client';
import type { Metrics } from './metrics.ts';

const PROBE = { config: { probe: true } };

/** An image source or FHIR server that does not answer. */
export interface AwaySource {
  /** Key of the tenant; undefined for one in a URL. */
  tenant: string | undefined;
  /** Place in the tenant file, and type. */
  source: string;
  state: 'open' | 'half-open';
  /** Milliseconds since the epoch. */
  since: number;
}

/** The conditions of readiness. */
export interface Readiness {
  /** Returns false while stopping. */
  ready: () => boolean;
  loading: () => readonly object[];
  shared?: (() => boolean) | undefined;
  supergraph?: (() => boolean) | undefined;
  rejectedTenants?: (() => readonly string[]) | undefined;
  awaySources?: (() => readonly AwaySource[]) | undefined;
}

/**
 * Serves `/health/live` and `/health/ready`. Readiness does not depend on the upstreams of tenants: one EHR that fails
 * must not stop all tenants. It does not depend on the store that gateways share either: that fails for all gateways at
 * once, and each still answers most requests without it. The body and the metric `shared_state_reachable` say whether
 * the store answers. Readiness does depend on the records that this process loads: until each has been loaded once, or
 * its load has failed, the body says how far they are.
 * @param loading returns how far the records are that cannot answer yet
 * @param shared returns true when the store answers; undefined without a store
 * @param rejectedTenants returns the names of tenant files that are rejected: the tenants before them are served
 * @param awaySources returns the sources that do not answer, which the body and the metric `source_away` name
 * @param supergraph returns false while SUPERGRAPH_FILE is rejected, and the one before is served; undefined without a file
 */
export function healthRoutes(
  { ready, loading, shared, supergraph, rejectedTenants, awaySources }: Readiness,
  { registry }: Metrics,
): FastifyPluginAsync {
  if (shared) {
    new Gauge({
      name: 'shared_state_reachable',
      help: 'Whether the store that gateways share (REDIS_URL) answers',
      registers: [registry],
      // Of several processes: whether each reaches it.
      aggregator: 'min',
      collect() {
        this.set(shared() ? 1 : 0);
      },
    });
  }
  if (rejectedTenants) {
    new Gauge({
      name: 'tenants_rejected',
      help: 'Tenant files that are rejected; the tenants before them are served',
      registers: [registry],
      aggregator: 'max',
      collect() {
        this.set(rejectedTenants().length);
      },
    });
  }
  if (awaySources) showAway(awaySources, registry);
  const sharedState = () => shared && { sharedState: shared() ? 'reachable' : 'unreachable' };
  const supergraphFile = () => supergraph && { supergraphFile: supergraph() ? 'served' : 'rejected' };
  const rejected = () => {
    const files = rejectedTenants?.() ?? [];
    return files.length > 0 && { rejectedTenantFiles: files };
  };
  const away = () => {
    const sources = awaySources?.() ?? [];
    const shown = ({ tenant, source, state, since }: AwaySource) => ({
      tenant,
      source,
      state,
      since: new Date(since).toISOString(),
    });
    return sources.length > 0 && { awaySources: sources.map(shown) };
  };
  // A record that a changed tenant needs does not stop the others.
  let wasReady = false;
  return async (app) => {
    app.get('/health/live', PROBE, async () => ({ status: 'ok' }));
    app.get('/health/ready', PROBE, async (_request, reply) => {
      if (!ready()) return reply.code(503).send({ status: 'stopping' });
      const records = wasReady ? [] : loading();
      wasReady = records.length === 0;
      if (wasReady)
        return { status: 'ready', ...sharedState(), ...supergraphFile(), ...rejected(), ...away() };
      return reply.code(503).header('retry-after', '5').send({ status: 'loading', records });
    });
  };
}

/** Shows each source that has been away: 1 while it is, then 0. */
function showAway(awaySources: () => readonly AwaySource[], registry: Metrics['registry']): void {
  const seen = new Map<string, { tenant: string; source: string }>();
  new Gauge({
    name: 'source_away',
    help: 'Whether a source of a tenant does not answer, for sources that have been away',
    labelNames: ['tenant', 'source'],
    registers: [registry],
    // Of several processes: whether one of them has no answer.
    aggregator: 'max',
    collect() {
      for (const labels of seen.values()) this.set(labels, 0);
      for (const { tenant, source } of awaySources()) {
        if (tenant === undefined) continue;
        seen.set(`${tenant} ${source}`, { tenant, source });
        this.set({ tenant, source }, 1);
      }
    },
  });
}

/** Serves `/metrics` for Prometheus. */
export function metricsRoute(metrics: Metrics): FastifyPluginAsync {
  return async (app) => {
    app.get('/metrics', PROBE, async (_request, reply) => {
      reply.type(metrics.registry.contentType);
      return metrics.text();
    });
  };
}
