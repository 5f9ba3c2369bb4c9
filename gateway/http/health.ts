import type { FastifyPluginAsync } from 'fastify';
import { Gauge } from 'prom-client';
import type { Metrics } from './metrics.ts';

const PROBE = { config: { probe: true } };

/** The conditions of readiness. */
export interface Readiness {
  /** Returns false while stopping. */
  ready: () => boolean;
  loading: () => readonly object[];
  shared?: (() => boolean) | undefined;
  supergraph?: (() => boolean) | undefined;
  rejectedTenants?: (() => readonly string[]) | undefined;
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
 * @param supergraph returns false while SUPERGRAPH_FILE is rejected, and the one before is served; undefined without a file
 */
export function healthRoutes(
  { ready, loading, shared, supergraph, rejectedTenants }: Readiness,
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
  const sharedState = () => shared && { sharedState: shared() ? 'reachable' : 'unreachable' };
  const supergraphFile = () => supergraph && { supergraphFile: supergraph() ? 'served' : 'rejected' };
  const rejected = () => {
    const files = rejectedTenants?.() ?? [];
    return files.length > 0 && { rejectedTenantFiles: files };
  };
  // A record that a changed tenant needs does not stop the others.
  let wasReady = false;
  return async (app) => {
    app.get('/health/live', PROBE, async () => ({ status: 'ok' }));
    app.get('/health/ready', PROBE, async (_request, reply) => {
      if (!ready()) return reply.code(503).send({ status: 'stopping' });
      const records = wasReady ? [] : loading();
      wasReady = records.length === 0;
      if (wasReady) return { status: 'ready', ...sharedState(), ...supergraphFile(), ...rejected() };
      return reply.code(503).header('retry-after', '5').send({ status: 'loading', records });
    });
  };
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
