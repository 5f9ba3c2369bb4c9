import type { HTTPGraphQLResponse } from '@apollo/server';
import { HeaderMap } from '@apollo/server';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { AnswerBudget } from '../../schema/graphql/answer-budget.ts';
import { abortWhenClientLeaves } from '../../schema/http/client-left.ts';
import { setCacheControl } from '../../schema/http/cache-control.ts';
import { withDecimals } from '../../schema/fhir/decimal.ts';
import { Fault } from '../../schema/fault/fault.ts';
import type { Limits } from '../http/limits.ts';
import { searchOf, type AskedGraphql } from './asked-graphql.ts';
import { requireShallow } from './document-limits.ts';
import { withIncrementalForm } from './incremental.ts';
import { outOfTime } from './out-of-time.ts';
import type { PreparedIntrospection } from './introspection/prepared.ts';
import type { GatewayContext } from './request-scope.ts';
import type { FederatedServer } from './supergraph.ts';

/**
 * Adds a hook that refuses deeply nested documents before they are prepared and run. Authorization of a `user/` token
 * reads patients from the document earlier; it finds none in a document that does not parse.
 */
export function refuseDeepDocuments(app: FastifyInstance, limits: Limits): void {
  app.addHook('preHandler', async (request) => {
    const body = request.body as { query?: unknown } | null | undefined;
    const sent = [body?.query, ...new URLSearchParams(searchOf(request)).getAll('query')];
    for (const query of sent) if (typeof query === 'string') requireShallow(query, limits);
  });
}

/** Creates the state of a request. @param fhir true at FHIR's own addresses */
export function scopeOf(
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  limits: Limits,
  fhir: boolean,
): GatewayContext['scope'] {
  const over = new AbortController();
  const timer = endAfterLimit(over, limits);
  reply.raw.once('close', () => clearTimeout(timer));
  abortWhenClientLeaves(reply, over);
  return { ...newScope(request, limits, over.signal), fhir };
}

/** Aborts when the time limit of an execution is over. @returns the timer, for the execution that ends earlier */
export function endAfterLimit(over: AbortController, { seconds }: Limits): NodeJS.Timeout {
  const end = () =>
    over.abort(
      new Fault('gateway_timeout', `The request took longer than ${seconds} seconds. Ask for less.`),
    );
  return setTimeout(end, seconds * 1000);
}

/** Creates the state of one execution for a request. */
export function newScope(
  { tenant, access, log, audit }: FastifyRequest,
  limits: Limits,
  signal: AbortSignal,
): GatewayContext['scope'] {
  const budget = new AnswerBudget(limits.cost);
  // An Access of its own: what is remembered with it ends with the execution.
  return { tenant, access: { ...access }, signal, log, budget, audit, fhir: false, cores: new Map() };
}

/** Executes a GraphQL request. */
export async function run(
  server: FederatedServer,
  scope: GatewayContext['scope'],
  asked: AskedGraphql,
): Promise<HTTPGraphQLResponse> {
  scope.document = asked.document;
  const execute = async () =>
    (await server.answerKnown(asked, scope)) ?? executedByApollo(server, scope, asked);
  return Promise.race([server.measured(scope, execute), outOfTime(scope.signal)]);
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

/** Sends the response of the execution. */
export async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { scope, response, introspection, rewrite }: Answered,
): Promise<FastifyReply> {
  const { body, headers, status } = response;
  if (scope.introspection && (status ?? 200) === 200) {
    const type = headers.get('content-type') ?? 'application/json; charset=utf-8';
    return introspection.send(request, reply, scope.introspection, type);
  }
  await setImmediate();
  reply.code(status ?? 200);
  for (const [name, value] of headers) if (name !== 'content-length') reply.header(name, value);
  setCacheControl(reply, 'noStore');
  if (body.kind === 'chunked') return reply.send(Readable.from(written(body.asyncIterator)));
  return reply.send(withDecimals(rewrite ? await rewrite(body.string) : body.string));
}
