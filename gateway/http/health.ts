import type { FastifyPluginAsync } from 'fastify';
import { Gauge } from 'prom-client';
import type { Metrics } from './observe.ts';

/**
 * Serves `/health/live` and `/health/ready`. Readiness does not depend on the upstreams of tenants: one EHR that fails
 * must not stop all tenants. It does not depend on the store that gateways share either: that fails for all gateways at
 * once, and each still answers most requests without it. The body and the metric `shared_state_reachable` say whether
 * the store answers.
 * @param shared returns true when the store answers; undefined without a store
 */
export function healthRoutes(
  ready: () => boolean,
  { registry }: Metrics,
  shared?: () => boolean,
): FastifyPluginAsync {
  if (shared) {
    new Gauge({
      name: 'shared_state_reachable',
      help: 'Whether the store that gateways share (REDIS_URL) answers',
      registers: [registry],
      collect() {
        this.set(shared() ? 1 : 0);
      },
    });
  }
  const sharedState = () => shared && { sharedState: shared() ? 'reachable' : 'unreachable' };
  return async (app) => {
    app.get('/health/live', async () => ({ status: 'ok' }));
    app.get('/health/ready', async (_request, reply) =>
      ready() ? { status: 'ready', ...sharedState() } : reply.code(503).send({ status: 'stopping' }),
    );
  };
}

/** Serves `/metrics` for Prometheus. */
export function metricsRoute({ registry }: Metrics): FastifyPluginAsync {
  return async (app) => {
    app.get('/metrics', async (_request, reply) => {
      reply.type(registry.contentType);
      return registry.metrics();
    });
  };
}
