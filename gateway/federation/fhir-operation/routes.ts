import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID, FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { isResourceType } from '../../../schema/fhir/tables.ts';
import type { Served } from '../../../schema/http/served.ts';
import type { Limits } from '../../http/limits.ts';
import { answer, refuseDeepDocuments, run, scopeOf, search } from '../graphql-request.ts';
import type { PreparedIntrospection } from '../introspection/prepared.ts';
import type { FederatedServer } from '../supergraph.ts';
import { fhirDocument, type Answer, type Instance } from './fhir-document.ts';
import { queryOfParameters } from './query-parameters.ts';

/** Serves FHIR's `$graphql`, at the base and at a resource of any type (FHIR R4 §3.2.0.1, FG-11). */
export function fhirGraphqlRoutes(
  server: FederatedServer,
  introspection: PreparedIntrospection,
  limits: Limits,
): FastifyPluginAsync {
  const operation = async (request: FastifyRequest, reply: FastifyReply, instance?: Instance) => {
    const scope = scopeOf(request, reply, limits, true);
    const schema = await server.schema();
    const asked = askedOf(request, (sent) => fhirDocument(sent, { schema, limits, instance }), instance);
    const headers = acceptsJson(request.headers);
    const response = await run(server, scope, { method: request.method, headers }, asked);
    return answer(request, reply, { scope, response, introspection, rewrite: asked.rewrite });
  };
  return async (app) => {
    refuseDeepDocuments(app, limits);
    app.addContentTypeParser('application/graphql', { parseAs: 'string' }, (_request, query, done) =>
      done(null, { query }),
    );
    app.addContentTypeParser(FHIR_JSON, { parseAs: 'string' }, (_request, text, done) => {
      try {
        done(null, queryOfParameters(String(text)));
      } catch (error) {
        done(error as Error);
      }
    });
    const route = (serves: Omit<Served, 'interaction'>) => ({
      ...{ method: ['GET', 'POST'] as ('GET' | 'POST')[], bodyLimit: limits.body },
      config: { api: 'fhir-graphql' as const, serves: { interaction: 'graphql' as const, ...serves } },
    });
    app.route({
      ...route({}),
      url: '/fhir/$graphql',
      handler: (request, reply) => operation(request, reply),
    });
    app.route<{ Params: { id: string } }>({
      ...route({ resource: 'ImagingStudy', studyFrom: { path: 'id' } }),
      url: '/fhir/ImagingStudy/:id/$graphql',
      handler: (request, reply) =>
        operation(request, reply, requireInstance({ type: 'ImagingStudy', id: request.params.id })),
    });
    app.route<{ Params: { type: string; id: string } }>({
      ...route({}),
      url: '/fhir/:type/:id/$graphql',
      handler: (request, reply) => operation(request, reply, requireInstance(request.params)),
    });
  };
}

function requireInstance({ type, id }: Instance): Instance {
  if (!isResourceType(type)) throw new Fault('not_found', 'The server has no such type of resource.');
  if (!FHIR_ID.test(id)) throw new Fault('not_found', `There is no such ${type}.`);
  return { type, id };
}

/** FHIR clients accept `application/fhir+json`; the answer is JSON, and not FHIR (FHIR R4 §3.2.0.1). */
function acceptsJson(headers: FastifyRequest['headers']): FastifyRequest['headers'] {
  return headers.accept?.includes(FHIR_JSON) ? { ...headers, accept: 'application/json' } : headers;
}

interface Asked {
  search: string;
  body: unknown;
  rewrite: ((text: string) => string) | undefined;
}

/**
 * Returns what a `$graphql` call executes. Where this is not the text that was sent, the hash of a persisted query would
 * not match and is removed: the client then sends the text each time.
 */
function askedOf(
  request: FastifyRequest,
  documentOf: (sent: { query: string; operationName?: unknown }) => ReturnType<typeof fhirDocument>,
  instance: Instance | undefined,
): Asked {
  const parameters = new URLSearchParams(search(request));
  const inBody = request.method === 'POST';
  const sent = inBody
    ? ((request.body ?? {}) as Record<string, unknown>)
    : (Object.fromEntries(parameters) as Record<string, unknown>);
  const { query, extensions, operationName } = sent;
  if (typeof query !== 'string' || query === '') {
    if (instance && extensions !== undefined) throw needsText();
    return { search: search(request), body: request.body, rewrite: undefined };
  }
  const { text, finish } = documentOf({ query, operationName });
  if (!finish) return { search: search(request), body: request.body, rewrite: undefined };
  const { extensions: _, ...body } = sent;
  parameters.delete('extensions');
  if (!inBody) parameters.set('query', text);
  return {
    search: `?${parameters.toString()}`,
    body: inBody ? { ...body, query: text } : request.body,
    rewrite: (answered) => finished(answered, finish),
  };
}

/** At a resource, a hash alone does not say what is executed: persisted queries (FG-13) are not kept here. */
const needsText = () =>
  new Fault(
    'invalid_request',
    'Persisted queries are not supported below a resource. Send the text of the query.',
  );

function finished(text: string, finish: (answer: Answer) => void): string {
  const answer = JSON.parse(text) as Answer;
  finish(answer);
  return `${JSON.stringify(answer)}\n`;
}
