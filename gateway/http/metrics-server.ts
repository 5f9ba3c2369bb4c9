import { fastify, type FastifyInstance } from 'fastify';
import { metricsRoute } from './health.ts';
import { noStoreByDefault } from './http-headers.ts';
import type { Metrics } from './metrics.ts';
import { WITHOUT_SCHEMAS } from './without-schemas.ts';

/** Serves `/metrics` on a separate port (METRICS_PORT), which no ingress exposes. */
export function metricsServer(metrics: Metrics): FastifyInstance {
  // A scraper keeps its connection open: shutdown does not wait for it.
  const app = fastify({ forceCloseConnections: true, ...WITHOUT_SCHEMAS });
  noStoreByDefault(app);
  void app.register(metricsRoute(metrics));
  return app;
}
