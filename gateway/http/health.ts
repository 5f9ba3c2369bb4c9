import type { FastifyPluginAsync } from 'fastify';
import { Gauge } from 'prom-client';
import type { Metrics } from './observe.ts';

/**
 * `/health/live`, `/health/ready`. Readiness asks no tenant's upstream: one EHR must not take all down. Nor
 * does the store that gateways share: it fails for all of them at once, and each still answers most requests without
 * it. That it is gone is said, and counted in `shared_state_reachable`.
 * @param shared whether that store answers; undefined where there is none
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

/** `/metrics`, for Prometheus. */
export function metricsRoute({ registry }: Metrics): FastifyPluginAsync {
  return async (app) => {
    app.get('/metrics', async (_request, reply) => {
      reply.type(registry.contentType);
      return registry.metrics();
    });
  };
}
