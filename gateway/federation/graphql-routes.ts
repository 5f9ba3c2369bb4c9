import type { HTTPGraphQLResponse } from '@apollo/server';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { Fault } from '../../schema/fault/fault.ts';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { sendRevalidated } from '../../schema/http/revalidated.ts';
import { andThen } from '../../schema/process/awaitable.ts';
import type { Limits } from './document/limits.ts';
import { askedGraphql, type AskedGraphql } from './request/asked-graphql.ts';
import type { Graphs } from './graph/graphs.ts';
import { answer, run } from './graph/graphql-request.ts';
import { scopeOf } from './request/request-scope.ts';
import { acceptedFormat } from './stream/accepted-format.ts';
import { isOfDocument, streamRows } from './stream/stream-rows.ts';
import type { TrustedDocuments } from './request/trusted-documents.ts';

/** Serves GraphQL over HTTP at `/graphql` (FG-11), and the rows of a connection as a stream (FG-29). */
export function graphqlRoutes(
  graphs: Graphs,
  { limits, trusted }: { limits: Limits; trusted: TrustedDocuments },
): FastifyPluginAsync {
  return async (app) => {
    app.route({
      method: ['GET', 'POST'],
      url: '/graphql',
      config: { api: 'graphql', serves: { interaction: 'graphql' } },
      bodyLimit: limits.body,
      handler: (request, reply) => {
        const format = request.method === 'HEAD' ? undefined : acceptedFormat(request.headers.accept);
        const asked = trusted.admit(askedGraphql(request), request);
        const { server, introspection } = graphs.of(reply);
        const answered = (asked: AskedGraphql) => {
          const scope = scopeOf({ request, reply }, limits, false);
          return andThen<HTTPGraphQLResponse, FastifyReply | string>(
            run(server, scope, asked, limits),
            (response) => answer(request, reply, { scope, response, introspection }),
          );
        };
        if (!format) return answered(asked);
        return streamRows(request, reply, { server, limits, format, asked }).catch((error: unknown) => {
          if (!isOfDocument(error)) throw error;
          const headers = { ...asked.headers, accept: 'application/json' };
          return answered({ ...asked, headers });
        });
      },
    });
    app.route({
      method: ['PUT', 'PATCH', 'DELETE'],
      url: '/graphql',
      config: { api: 'graphql', serves: { interaction: 'graphql' } },
      handler: () => {
        throw new Fault('method_not_allowed', 'Send GraphQL requests with GET or POST.', {
          allow: 'GET, POST',
        });
      },
    });
  };
}

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
