import type { FastifyPluginAsync } from 'fastify';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { isHeldBy, tagOf } from '../../schema/http/entity-tag.ts';

/** Serves the schema of the graph at `/schema.graphql`, to everybody; 304 to callers that have it (FG-24). */
export function schemaRoute(sdl: string): FastifyPluginAsync {
  // Weak, because the text is compressed for some callers.
  const tag = `W/${tagOf(sdl)}`;
  return async (app) => {
    app.get('/schema.graphql', (request, reply) => {
      void setCacheControl(reply, 'public').header('etag', tag);
      if (isHeldBy(request.headers['if-none-match'], tag)) return reply.code(304).send();
      return reply.type('text/plain; charset=utf-8').send(sdl);
    });
  };
}
