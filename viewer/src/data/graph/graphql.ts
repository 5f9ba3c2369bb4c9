import { Client, fetchExchange, type CombinedError, type OperationResult } from '@urql/core';
import { initGraphQLTada, type TadaDocumentNode } from 'gql.tada';
import type { introspection } from '../../graphql-env.d.ts';
import { kindOf, type Transport } from '../transport.ts';
import { Trouble } from '../trouble.ts';

/** The typed `graphql` tag. FHIR scalars are strings in JSON, except `decimal`, which is a number. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: { date: string; dateTime: string; instant: string; time: string; decimal: number; code: string };
}>();

/** An error beside data, or in place of it. */
export interface GraphError {
  message: string;
  path: readonly (string | number)[];
  /** `clinical` or `imaging`, where one of them failed. */
  service: string | undefined;
  status: number | undefined;
  /** Milliseconds. */
  retryAfter: number | undefined;
}

export interface GraphAnswer<Data> {
  data: Data | undefined;
  errors: readonly GraphError[];
}

export interface Endpoint {
  /** `{base}/{tenant}/graphql` */
  address: string;
  transport: Transport;
}

export interface Asking<Data = unknown> extends Endpoint {
  signal: AbortSignal;
  /** Called with what is there before the parts of a query that come later (`@defer`), where the server sends parts. */
  onBegun?: ((answer: GraphAnswer<Partial<Data>>) => void) | undefined;
}

const JSON_TYPES = 'application/graphql-response+json, application/json';

/**
 * Sends one query. There is no cache: the screen always shows the current record.
 * @throws Trouble if there is no answer; the reason of the signal
 */
export async function ask<Data, Variables extends Record<string, unknown>>(
  { address, transport, signal, onBegun }: Asking<Data>,
  document: TadaDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<GraphAnswer<Data>> {
  const send: typeof fetch = async (_input, init) => {
    const { chunks, headers } = await transport.stream(address, {
      method: 'POST',
      accept: onBegun ? `multipart/mixed;deferSpec=20220824, ${JSON_TYPES}` : JSON_TYPES,
      headers: { 'content-type': 'application/json' },
      body: init?.body as string,
      signal,
    });
    return new Response(streamOf(chunks), { headers });
  };
  const client = new Client({
    url: address,
    fetch: send,
    exchanges: [fetchExchange],
    preferGetMethod: false,
  });
  const { data, error } = await new Promise<OperationResult<Data>>((resolve) => {
    client.query(document, variables).subscribe((result) => {
      if (!result.hasNext) resolve(result);
      else if (!signal.aborted) onBegun?.({ data: result.data, errors: errorsOf(result.error) });
    });
  });
  if (signal.aborted) throw signal.reason;
  if (error?.networkError) throw failed(error.networkError);
  return { data, errors: errorsOf(error) };
}

function streamOf(chunks: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

function failed(error: Error): Error {
  return error instanceof Trouble ? error : new Trouble('damaged', 'graphql: the answer is no JSON');
}

function errorsOf(error: CombinedError | undefined): GraphError[] {
  return (error?.graphQLErrors ?? []).map(({ message, path, extensions }) => {
    const { service, status, retryAfter } = extensions as Record<string, unknown>;
    return {
      message,
      path: path ?? [],
      service: typeof service === 'string' ? service : undefined,
      status: typeof status === 'number' ? status : undefined,
      retryAfter: typeof retryAfter === 'number' ? retryAfter * 1000 : undefined,
    };
  });
}

/** Longest wait that is taken over from an error. Milliseconds. */
const LONGEST_WAIT = 5 * 60_000;

/** Returns the trouble of a query that has no data because of its errors. */
export function troubleOf([error]: readonly GraphError[]): Trouble {
  const { status = 500, retryAfter, message } = error ?? { message: 'there is no data' };
  return new Trouble(kindOf(status), `graphql: ${message}`, {
    status,
    retryAfter: retryAfter === undefined ? undefined : Math.min(retryAfter, LONGEST_WAIT),
  });
}
