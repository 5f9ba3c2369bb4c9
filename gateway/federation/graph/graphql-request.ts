import type { HTTPGraphQLResponse } from '@apollo/server';
import { HeaderMap } from '@apollo/server';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { andThen, type Awaitable } from '../../../schema/process/awaitable.ts';
import { setCacheControl } from '../../../schema/http/cache-control.ts';
import { withDecimals } from '../../../schema/fhir/decimal.ts';
import type { Limits } from '../document/limits.ts';
import { membersOf, type AskedGraphql } from '../request/asked-graphql.ts';
import { requireShallow } from '../document/document-limits.ts';
import { withIncrementalForm } from '../apollo/incremental.ts';
import { outOfTime } from '../request/out-of-time.ts';
import type { PreparedIntrospection } from '../introspection/prepared.ts';
import type { RequestScope } from '../request/request-scope.ts';
import type { FederatedServer } from '../apollo/supergraph.ts';

/**
 * Executes a GraphQL request.
 * @throws Fault `invalid_request` for a deeply nested document; `gateway_timeout` after the time limit
 */
export function run(
  server: FederatedServer,
  scope: RequestScope,
  asked: AskedGraphql,
  limits: Limits,
): Awaitable<HTTPGraphQLResponse> {
  scope.document = asked.document;
  const execute = () =>
    andThen(
      server.answerKnown(asked, scope),
      (known) => known ?? executedByApollo(server, scope, asked, limits),
    );
  const response = server.measured(scope, execute);
  if (!(response instanceof Promise)) return response;
  scope.limitTime?.();
  return Promise.race([response, outOfTime(scope.over.signal)]);
}

async function executedByApollo(
  server: FederatedServer,
  scope: RequestScope,
  asked: AskedGraphql,
  limits: Limits,
): Promise<HTTPGraphQLResponse> {
  const { query } = membersOf(asked);
  if (typeof query === 'string') requireShallow(query, limits);
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
  scope: RequestScope;
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
