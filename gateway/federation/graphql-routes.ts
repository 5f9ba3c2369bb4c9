import type { HTTPGraphQLResponse } from '@apollo/server';
import { HeaderMap } from '@apollo/server';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { setImmediate } from 'node:timers/promises';
import { AnswerBudget } from '../../schema/graphql/answer-budget.ts';
import { abortWhenClientLeaves } from '../../schema/http/client-left.ts';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { withDecimals } from '../../schema/fhir/decimal.ts';
import { Fault } from '../../schema/fault/fault.ts';
import { FHIR_ID } from '../../schema/fhir/fhir.ts';
import type { Limits } from '../http/limits.ts';
import { requireShallow } from './document-limits.ts';
import { instanceQuery, instanceResult } from './instance-query.ts';
import type { PreparedIntrospection } from './introspection/prepared.ts';
import type { GatewayContext } from './request-scope.ts';
import type { FederatedServer } from './supergraph.ts';

/** Serves GraphQL over HTTP at `/graphql` (FG-11). */
export function graphqlRoutes(
  server: FederatedServer,
  introspection: PreparedIntrospection,
  limits: Limits,
): FastifyPluginAsync {
  return async (app) => {
    refuseDeepDocuments(app, limits);
    app.route({
      method: ['GET', 'POST'],
      url: '/graphql',
      config: { api: 'graphql', serves: { interaction: 'graphql' } },
      bodyLimit: limits.body,
      handler: async (request, reply) => {
        const scope = scopeOf(request, reply, limits, false);
        const response = await run(server, scope, request, search(request), request.body);
        return answer(request, reply, { scope, response, introspection });
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

/** Serves FHIR's `$graphql`, at the base and at a patient (FHIR R4 §3.2.0.1). */
export function fhirGraphqlRoutes(
  server: FederatedServer,
  introspection: PreparedIntrospection,
  limits: Limits,
): FastifyPluginAsync {
  return async (app) => {
    refuseDeepDocuments(app, limits);
    app.addContentTypeParser('application/graphql', { parseAs: 'string' }, (_request, query, done) =>
      done(null, { query }),
    );
    app.route({
      method: ['GET', 'POST'],
      url: '/fhir/$graphql',
      config: { api: 'fhir', serves: { interaction: 'graphql' } },
      bodyLimit: limits.body,
      handler: async (request, reply) => {
        const scope = scopeOf(request, reply, limits, true);
        const asked = askedOf(request);
        const response = await run(server, scope, request, asked.search, asked.body);
        return answer(request, reply, { scope, response, introspection });
      },
    });
    app.route<{ Params: { id: string } }>({
      method: ['GET', 'POST'],
      url: '/fhir/Patient/:id/$graphql',
      config: { api: 'fhir', serves: { interaction: 'graphql', resource: 'Patient' } },
      bodyLimit: limits.body,
      handler: async (request, reply) => {
        const { id } = request.params;
        if (!FHIR_ID.test(id)) throw new Fault('not_found', 'There is no such Patient.');
        const scope = scopeOf(request, reply, limits, true);
        requireText(request);
        const asked = askedOf(request, (query) => instanceQuery(query, 'Patient', id, limits.tokens));
        const response = await run(server, scope, request, asked.search, asked.body);
        return answer(request, reply, { scope, response, introspection, rewrite: instanceResult });
      },
    });
  };
}

/**
 * Adds a hook that refuses deeply nested documents before they are prepared and run. Authorization of a `user/` token
 * reads patients from the document earlier; it finds none in a document that does not parse.
 */
function refuseDeepDocuments(app: FastifyInstance, limits: Limits): void {
  app.addHook('preHandler', async (request) => {
    const body = request.body as { query?: unknown } | null | undefined;
    const sent = [body?.query, ...new URLSearchParams(search(request)).getAll('query')];
    for (const query of sent) if (typeof query === 'string') requireShallow(query, limits);
  });
}

function scopeOf(
  request: FastifyRequest,
  reply: FastifyReply,
  limits: Limits,
  fhir: boolean,
): GatewayContext['scope'] {
  const over = new AbortController();
  const end = () =>
    over.abort(
      new Fault('gateway_timeout', `The request took longer than ${limits.seconds} seconds. Ask for less.`),
    );
  const timer = setTimeout(end, limits.seconds * 1000);
  reply.raw.once('close', () => clearTimeout(timer));
  abortWhenClientLeaves(reply, over);
  const { tenant, access, log, audit } = request;
  const budget = new AnswerBudget(limits.cost);
  // An Access of its own: what is remembered with it ends with the request.
  return { tenant, access: { ...access }, signal: over.signal, log, budget, audit, fhir, cores: new Map() };
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

/** Rejects after the time limit and a grace period: fields that stop in time become errors in the answer. */
function outOfTime(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      if (signal.reason instanceof Fault) setTimeout(reject, GRACE_MILLISECONDS, signal.reason);
    });
  });
}

/** Time after the limit to send an answer with the fields that were in time. */
const GRACE_MILLISECONDS = 500;

interface Answer {
  scope: GatewayContext['scope'];
  response: HTTPGraphQLResponse;
  introspection: PreparedIntrospection;
  /** Changes the text of the answer. */
  rewrite?: (text: string) => string;
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { scope, response, introspection, rewrite = (text) => text }: Answer,
): Promise<FastifyReply> {
  const { body, headers, status } = response;
  if (scope.introspection && (status ?? 200) === 200) {
    const type = headers.get('content-type') ?? 'application/json; charset=utf-8';
    return introspection.send(request, reply, scope.introspection, type);
  }
  const text = body.kind === 'complete' ? body.string : '';
  if (body.kind !== 'complete')
    throw new Fault(
      'not_implemented',
      'Incremental delivery is not supported. Leave out @defer and @stream.',
    );
  await setImmediate();
  reply.code(status ?? 200);
  for (const [name, value] of headers) if (name !== 'content-length') reply.header(name, value);
  return setCacheControl(reply, 'noStore').send(withDecimals(rewrite(text)));
}

const search = (request: FastifyRequest) => new URL(request.url, 'http://x').search;

/**
 * Refuses a hash without its query. At a resource, the text that runs is not the text that was sent, so its hash would
 * not match: persisted queries (FG-13) are not kept here.
 * @throws Fault `invalid_request`
 */
function requireText(request: FastifyRequest): void {
  const parameters = new URLSearchParams(search(request));
  const { query, extensions } = (request.body ?? {}) as { query?: unknown; extensions?: unknown };
  const hashAlone = query === undefined && !parameters.has('query');
  if (hashAlone && (extensions !== undefined || parameters.has('extensions'))) {
    throw new Fault(
      'invalid_request',
      'Persisted queries are not supported below a resource. Send the text of the query.',
    );
  }
}

/** Returns the query of a `$graphql` call. At a resource it is changed, and the hash of the original is removed. */
function askedOf(
  request: FastifyRequest,
  change?: (query: string) => string,
): { search: string; body: unknown } {
  if (!change) return { search: search(request), body: request.body };
  const parameters = new URLSearchParams(search(request));
  const inUrl = parameters.get('query');
  if (inUrl !== null) parameters.set('query', change(inUrl));
  parameters.delete('extensions');
  const { extensions: _, ...body } = (request.body ?? {}) as { query?: unknown; extensions?: unknown };
  const changed = typeof body.query === 'string' ? { ...body, query: change(body.query) } : request.body;
  return { search: parameters.size > 0 ? `?${parameters.toString()}` : '', body: changed };
}
