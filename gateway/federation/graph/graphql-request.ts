import type { HTTPGraphQLResponse } from '@apollo/server';
import { HeaderMap } from '@apollo/server';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { copyWith } from '../../../schema/process/copy-with.ts';
import { AnswerBudget } from '../../../schema/graphql/answer-budget.ts';
import { abortWhenClientLeaves } from '../../../schema/http/client-left.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { withDecimals } from '../../../schema/fhir/decimal.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { RequestEnd } from '../../../schema/process/request-end.ts';
import type { Limits } from '../../http/limits.ts';
import { searchOf, type AskedGraphql } from '../request/asked-graphql.ts';
import { requireShallow } from '../document/document-limits.ts';
import { KEPT_CHARACTERS } from '../document/document-cache.ts';
import { withIncrementalForm } from '../apollo/incremental.ts';
import { outOfTime } from '../request/out-of-time.ts';
import type { PreparedIntrospection } from '../introspection/prepared.ts';
import type { GatewayContext } from '../request/request-scope.ts';
import type { FederatedServer } from '../apollo/supergraph.ts';

/**
 * Adds a hook that refuses deeply nested documents before they are prepared and run. Authorization of a `user/` token
 * reads patients from the document earlier; it finds none in a document that does not parse.
 */
export function refuseDeepDocuments(app: FastifyInstance, limits: Limits): void {
  // Documents that were shallow: most requests send one of them again.
  const shallow = new LRUCache<string, true>({
    maxSize: KEPT_CHARACTERS,
    sizeCalculation: (_true, text) => text.length + 1,
  });
  const check = (query: unknown): void => {
    if (typeof query !== 'string' || shallow.get(query)) return;
    requireShallow(query, limits);
    shallow.set(query, true);
  };
  app.addHook('preHandler', (request, _reply, done) => {
    const body = request.body as { query?: unknown } | null | undefined;
    const search = searchOf(request);
    check(body?.query);
    if (search) new URLSearchParams(search).getAll('query').forEach(check);
    done();
  });
}

/**
 * Creates the state of a request. Its time limit begins with `limitTime`: an execution that does not wait needs none.
 * @param fhir true at FHIR's own addresses
 */
export function scopeOf(
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  limits: Limits,
  fhir: boolean,
): GatewayContext['scope'] {
  const over = new RequestEnd();
  let timer: NodeJS.Timeout | undefined;
  abortWhenClientLeaves(reply, over, { onClose: () => clearTimeout(timer) });
  const limitTime = () => void (timer ??= endAfterLimit(over, limits));
  const scope = newScope(request, limits, over);
  scope.fhir = fhir;
  scope.limitTime = limitTime;
  return scope;
}

/** Aborts when the time limit of an execution is over. @returns the timer, for the execution that ends earlier */
export function endAfterLimit(over: RequestEnd, { seconds }: Limits): NodeJS.Timeout {
  const end = () =>
    over.abort(
      new Fault('gateway_timeout', `The request took longer than ${seconds} seconds. Ask for less.`),
    );
  return setTimeout(end, seconds * 1000);
}

/** Creates the state of one execution for a request. */
export function newScope(request: FastifyRequest, limits: Limits, over: RequestEnd): GatewayContext['scope'] {
  const { tenant, access, log, audit } = request;
  const budget = new AnswerBudget(limits.cost);
  // An Access of its own: what is remembered with it ends with the execution.
  const own = copyWith(access, {});
  return { request, tenant, access: own, over, log, budget, audit, fhir: false, cores: new Map() };
}

/** Executes a GraphQL request. */
export function run(
  server: FederatedServer,
  scope: GatewayContext['scope'],
  asked: AskedGraphql,
): Awaitable<HTTPGraphQLResponse> {
  scope.document = asked.document;
  const execute = () =>
    andThen(server.answerKnown(asked, scope), (known) => known ?? executedByApollo(server, scope, asked));
  const response = server.measured(scope, execute);
  if (!(response instanceof Promise)) return response;
  scope.limitTime?.();
  return Promise.race([response, outOfTime(scope.over.signal)]);
}

async function executedByApollo(
  server: FederatedServer,
  scope: GatewayContext['scope'],
  asked: AskedGraphql,
): Promise<HTTPGraphQLResponse> {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(asked.headers)) {
    if (value !== undefined) headers.set(name, [value].flat().join(', '));
  }
  const { accept } = asked.headers;
  if (accept !== undefined) headers.set('accept', withIncrementalForm(accept));
  const httpGraphQLRequest = { ...asked, headers };
  return server.executeHTTPGraphQLRequest({ httpGraphQLRequest, context: () => Promise.resolve({ scope }) });
}

interface Answered {
  scope: GatewayContext['scope'];
  response: HTTPGraphQLResponse;
  introspection: PreparedIntrospection;
  /** Changes the text of an answer that was executed. */
  rewrite?: ((text: string) => Promise<string>) | undefined;
}

/** Writes the parts of an answer that is delivered incrementally, each as soon as there is one (FG-22). */
async function* written(parts: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const part of parts) yield withDecimals(part);
}

/**
 * Answers with the response of the execution. Answers of one turn of the event loop are sent together at its end: a client
 * that is woken for each of them takes the processor from the next ones (a third fewer requests a second).
 * @returns what the route sends
 */
export function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { scope, response, introspection, rewrite }: Answered,
): Promise<FastifyReply | string> | FastifyReply {
  const { body, headers, status } = response;
  if (scope.introspection && (status ?? 200) === 200) {
    const type = headers.get('content-type') ?? 'application/json; charset=utf-8';
    return introspection.send(request, reply, scope.introspection, type);
  }
  reply.code(status ?? 200);
  for (const [name, value] of headers) if (name !== 'content-length') reply.header(name, value);
  setCacheControl(reply, 'noStore');
  if (body.kind === 'chunked') return reply.send(Readable.from(written(body.asyncIterator)));
  if (rewrite) return rewrite(body.string).then(withDecimals);
  return setImmediate(body.string);
}
