import type { FastifyPluginAsync } from 'fastify';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { sendRevalidated, weakTag } from '../../schema/http/revalidated.ts';

/** Serves the schema of the graph at `/schema.graphql`, to everybody; 304 to callers that have it (FG-24). */
export function schemaRoute(sdl: string): FastifyPluginAsync {
  const tag = weakTag(sdl);
  return async (app) => {
    app.get('/schema.graphql', (request, reply) => {
      void setCacheControl(reply, 'public');
      return sendRevalidated(request, reply, { text: sdl, type: 'text/plain; charset=utf-8', tag });
    });
  };
}
