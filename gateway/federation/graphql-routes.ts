import type { HTTPGraphQLResponse } from '@apollo/server';
import { HeaderMap } from '@apollo/server';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { withDecimals } from '../../schema/decimal.ts';
import { Fault } from '../../schema/fault.ts';
import { FHIR_ID } from '../../schema/fhir.ts';
import type { Limits } from '../limits.ts';
import { instanceQuery, instanceResult } from './instance-query.ts';
import type { GatewayContext } from './request-scope.ts';
import type { FederatedServer } from './supergraph.ts';

/** GraphQL over HTTP at `/graphql` (FG-11). */
export function graphqlRoutes(server: FederatedServer, limits: Limits): FastifyPluginAsync {
  return async (app) => {
    app.route({
      method: ['GET', 'POST'],
      url: '/graphql',
      bodyLimit: limits.body,
      handler: async (request, reply) => {
        const scope = scopeOf(request, reply, limits, false);
        return answer(reply, await run(server, scope, request, search(request), request.body));
      },
    });
    app.route({
      method: ['PUT', 'PATCH', 'DELETE'],
      url: '/graphql',
      handler: () => {
        throw new Fault('method_not_allowed', 'GraphQL is asked with GET or POST.', { allow: 'GET, POST' });
      },
    });
  };
}

/** FHIR's own spelling, at the base and at a patient (FHIR R4 §3.2.0.1). */
export function fhirGraphqlRoutes(server: FederatedServer, limits: Limits): FastifyPluginAsync {
  return async (app) => {
    app.addContentTypeParser('application/graphql', { parseAs: 'string' }, (_request, query, done) =>
      done(null, { query }),
    );
    app.route({
      method: ['GET', 'POST'],
      url: '/fhir/$graphql',
      bodyLimit: limits.body,
      handler: async (request, reply) => {
        const scope = scopeOf(request, reply, limits, true);
        const asked = askedOf(request);
        return answer(reply, await run(server, scope, request, asked.search, asked.body));
      },
    });
    app.route<{ Params: { id: string } }>({
      method: ['GET', 'POST'],
      url: '/fhir/Patient/:id/$graphql',
      bodyLimit: limits.body,
      handler: async (request, reply) => {
        const { id } = request.params;
        if (!FHIR_ID.test(id)) throw new Fault('not_found', 'There is no such Patient.');
        const scope = scopeOf(request, reply, limits, true);
        const asked = askedOf(request, (query) => instanceQuery(query, 'Patient', id, limits.tokens));
        const response = await run(server, scope, request, asked.search, asked.body);
        return answer(reply, response, instanceResult);
      },
    });
  };
}

function scopeOf(
  request: FastifyRequest,
  reply: FastifyReply,
  limits: Limits,
  fhir: boolean,
): GatewayContext['scope'] {
  const over = new AbortController();
  const late = new Fault('gateway_timeout', `This took longer than ${limits.seconds} seconds: ask for less.`);
  const timer = setTimeout(() => over.abort(late), limits.seconds * 1000);
  reply.raw.once('close', () => {
    clearTimeout(timer);
    // An answer that was given leaves nothing to break off.
    if (!reply.raw.writableFinished) over.abort();
  });
  const { tenant, access, log, audit } = request;
  return { tenant, access, signal: over.signal, log, audit, fhir, cores: new Map() };
}

async function run(
  server: FederatedServer,
  scope: GatewayContext['scope'],
  request: FastifyRequest,
  query: string,
  body: unknown,
): Promise<HTTPGraphQLResponse> {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, [value].flat().join(', '));
  }
  const httpGraphQLRequest = { method: request.method, headers, search: query, body };
  const answered = server.executeHTTPGraphQLRequest({
    httpGraphQLRequest,
    context: () => Promise.resolve({ scope }),
  });
  return Promise.race([answered, outOfTime(scope.signal)]);
}

/** Fields that stop when their time is over are errors of their own in the answer; for others nobody waits. */
function outOfTime(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      if (signal.reason instanceof Fault) setTimeout(reject, GRACE_MILLISECONDS, signal.reason);
    });
  });
}

/** For an answer of the fields that were in time. */
const GRACE_MILLISECONDS = 500;

async function answer(
  reply: FastifyReply,
  response: HTTPGraphQLResponse,
  rewrite = (text: string) => text,
): Promise<FastifyReply> {
  const { body, headers, status } = response;
  const text = body.kind === 'complete' ? body.string : '';
  if (body.kind !== 'complete') throw new Fault('not_implemented', 'Incremental delivery is not supported.');
  reply.code(status ?? 200).header('cache-control', 'no-store');
  for (const [name, value] of headers) if (name !== 'content-length') reply.header(name, value);
  return reply.send(withDecimals(rewrite(text)));
}

const search = (request: FastifyRequest) => new URL(request.url, 'http://x').search;

/** The query of a `$graphql` call, changed where the resource is the root. */
function askedOf(
  request: FastifyRequest,
  change = (query: string) => query,
): { search: string; body: unknown } {
  const parameters = new URLSearchParams(search(request));
  const inUrl = parameters.get('query');
  if (inUrl !== null) parameters.set('query', change(inUrl));
  const body = request.body as { query?: unknown } | null | undefined;
  const changed = typeof body?.query === 'string' ? { ...body, query: change(body.query) } : body;
  return { search: parameters.size > 0 ? `?${parameters.toString()}` : '', body: changed };
}
