import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { ItemSelector } from '../../../schema/expressions/item-selector.ts';
import type { ExpressionPool } from '../../../schema/expressions/pool.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { parseFhirJson } from '../../../schema/fhir/decimal.ts';
import { FHIR_ID, FHIR_JSON } from '../../../schema/fhir/fhir.ts';
import { isResourceType } from '../../../schema/fhir/tables.ts';
import type { Served } from '../../../schema/http/served.ts';
import type { Limits } from '../document/limits.ts';
import { askedGraphql, type AskedGraphql } from '../request/asked-graphql.ts';
import type { Graphs } from '../graph/graphs.ts';
import { answer, run } from '../graph/graphql-request.ts';
import { scopeOf } from '../request/request-scope.ts';
import { isRecord } from '../request/sent-document.ts';
import type { TrustedDocuments } from '../request/trusted-documents.ts';
import type { Answer } from './answer.ts';
import { fhirDocument, type FhirDocument, type Instance } from './fhir-document.ts';

interface FhirGraphqlOptions {
  limits: Limits;
  expressions: ExpressionPool;
  trusted: TrustedDocuments;
}

/** Serves FHIR's `$graphql`, at the base and at a resource of any type (FHIR R4 §3.2.0.1, FG-11). */
export function fhirGraphqlRoutes(
  graphs: Graphs,
  { limits, expressions, trusted }: FhirGraphqlOptions,
): FastifyPluginAsync {
  const selector = new ItemSelector(expressions);
  const operation = async (request: FastifyRequest, reply: FastifyReply, instance?: Instance) => {
    const scope = scopeOf({ request, reply }, limits, true);
    const { server, introspection } = graphs.of(reply);
    const schema = await server.schema();
    const sent = acceptingJson(trusted.admit(askedGraphql(request), request));
    const { asked, rewrite } = executable(
      sent,
      (text) => fhirDocument(text, { schema, limits, instance, selector, request: scope }),
      instance,
    );
    const response = await run(server, scope, asked, limits);
    return answer(request, reply, { scope, response, introspection, rewrite });
  };
  return async (app) => {
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
      method: ['GET', 'POST'] as ('GET' | 'POST')[],
      bodyLimit: limits.body,
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
function acceptingJson(asked: AskedGraphql): AskedGraphql {
  const { headers } = asked;
  if (!headers.accept?.includes(FHIR_JSON)) return asked;
  return { ...asked, headers: { ...headers, accept: 'application/json' } };
}

interface Executable {
  asked: AskedGraphql;
  /** Changes the text of the answer. */
  rewrite?: (text: string) => Promise<string>;
}

/**
 * Returns what a `$graphql` call executes. Where this is not the text that was sent, the hash of a persisted query would
 * not match and is removed: the client then sends the text each time.
 */
function executable(
  sent: AskedGraphql,
  documentOf: (text: { query: string; operationName?: unknown }) => FhirDocument,
  instance: Instance | undefined,
): Executable {
  const parameters = new URLSearchParams(sent.search);
  const inBody = sent.method === 'POST';
  const request = (inBody ? (sent.body ?? {}) : Object.fromEntries(parameters)) as Record<string, unknown>;
  const { query, extensions, ...others } = request;
  if (typeof query !== 'string' || query === '') {
    if (instance && extensions !== undefined) throw needsText();
    return { asked: sent };
  }
  const { text, finish } = documentOf({ query, operationName: others['operationName'] });
  if (!finish) return { asked: sent };
  const rewrite = (answered: string) => finished(answered, finish);
  if (inBody) {
    const { persistedQuery: _, ...kept } = (extensions ?? {}) as Record<string, unknown>;
    return { asked: { ...sent, search: '', body: { ...others, query: text, extensions: kept } }, rewrite };
  }
  parameters.delete('extensions');
  parameters.set('query', text);
  return { asked: { ...sent, search: `?${parameters.toString()}` }, rewrite };
}

/** At a resource, a hash alone does not say what is executed: persisted queries (FG-13) are not kept here. */
const needsText = () =>
  new Fault(
    'invalid_request',
    'Persisted queries are not supported below a resource. Send the text of the query.',
  );

async function finished(text: string, finish: (answer: Answer) => Promise<void>): Promise<string> {
  const answer = parseFhirJson(text) as Answer;
  await finish(answer);
  return `${JSON.stringify(answer)}\n`;
}

/**
 * Returns the GraphQL request in the body of an operation (FHIR R4 §3.2.0): the parameter `query` of a Parameters
 * resource. Other JSON is returned as it is.
 * @throws Fault `invalid_request` for text that is not JSON
 */
function queryOfParameters(text: string): unknown {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    throw new Fault('invalid_request', 'The body is not JSON.', { cause });
  }
  if (!isRecord(body) || body['resourceType'] !== 'Parameters') return body;
  const parameters: unknown[] = Array.isArray(body['parameter']) ? body['parameter'] : [];
  const query = parameters.filter(isRecord).find(({ name }) => name === 'query');
  return { query: query?.['valueString'] };
}
