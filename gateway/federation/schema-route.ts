import type { FastifyPluginAsync } from 'fastify';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { sendRevalidated } from '../../schema/http/revalidated.ts';
import type { Graphs } from './graph/graphs.ts';

/** Serves the schema of the graph at `/schema.graphql`, to everybody; 304 to callers that have it (FG-24). */
export function schemaRoute(graphs: Pick<Graphs, 'api'>): FastifyPluginAsync {
  return async (app) => {
    app.get('/schema.graphql', (request, reply) => {
      const { sdl: text, tag } = graphs.api;
      void setCacheControl(reply, 'public');
      return sendRevalidated(request, reply, { text, type: 'text/plain; charset=utf-8', tag });
    });
  };
}
