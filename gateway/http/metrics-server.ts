import { fastify, type FastifyInstance } from 'fastify';
import { metricsRoute } from './health.ts';
import { noStoreByDefault } from './http-headers.ts';
import type { Metrics } from './observe.ts';

/** `/metrics` on a port of its own (METRICS_PORT), to which no ingress leads. */
export function metricsServer(metrics: Metrics): FastifyInstance {
  // A scraper keeps its connection: it is not waited for at the end.
  const app = fastify({ forceCloseConnections: true });
  noStoreByDefault(app);
  void app.register(metricsRoute(metrics));
  return app;
}
