import type { FastifyPluginAsync } from 'fastify';
import type { Metrics } from './observe.ts';

/** `/health/live`, `/health/ready`, `/metrics`. Readiness asks no tenant's upstream: one EHR must not take all down. */
export function healthRoutes(ready: () => boolean, { registry }: Metrics): FastifyPluginAsync {
  return async (app) => {
    app.get('/health/live', async () => ({ status: 'ok' }));
    app.get('/health/ready', async (_request, reply) =>
      ready() ? { status: 'ready' } : reply.code(503).send({ status: 'stopping' }),
    );
    app.get('/metrics', async (_request, reply) => {
      reply.type(registry.contentType);
      return registry.metrics();
    });
  };
}
