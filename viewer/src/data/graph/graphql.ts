import { print } from '@0no-co/graphql.web';
import { initGraphQLTada, type TadaDocumentNode } from 'gql.tada';
import type { introspection } from '../../graphql-env.d.ts';
import { damaged, kindOf, type Transport } from '../transport.ts';
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

export interface Asking extends Endpoint {
  signal: AbortSignal;
}

/**
 * Sends one query. There is no cache: the screen always shows the current record.
 * @throws Trouble if there is no answer; the reason of the signal
 */
export async function ask<Data, Variables extends Record<string, unknown>>(
  { address, transport, signal }: Asking,
  document: TadaDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<GraphAnswer<Data>> {
  const answer = await transport.json(address, {
    method: 'POST',
    accept: 'application/graphql-response+json, application/json',
    contentType: 'application/json',
    body: JSON.stringify({ query: textOf(document), variables }),
    signal,
  });
  const { data, errors } = (answer ?? {}) as Response<Data>;
  if (!data && !errors?.length) throw damaged(address, 'is no answer to a query');
  return { data: data ?? undefined, errors: (errors ?? []).map(errorOf) };
}

/** A response of GraphQL (specification of October 2021, §7.1). */
interface Response<Data> {
  data?: Data | null;
  errors?: readonly {
    message: string;
    path?: readonly (string | number)[];
    extensions?: Record<string, unknown>;
  }[];
}

const texts = new WeakMap<object, string>();

function textOf(document: TadaDocumentNode<unknown, never>): string {
  const text = texts.get(document) ?? print(document as never);
  texts.set(document, text);
  return text;
}

function errorOf({
  message,
  path,
  extensions,
}: NonNullable<Response<unknown>['errors']>[number]): GraphError {
  const { service, status, retryAfter } = extensions ?? {};
  return {
    message,
    path: path ?? [],
    service: typeof service === 'string' ? service : undefined,
    status: typeof status === 'number' ? status : undefined,
    retryAfter: typeof retryAfter === 'number' ? retryAfter * 1000 : undefined,
  };
}

/** Longest wait that is taken over from an error. Milliseconds. */
const LONGEST_WAIT = 5 * 60_000;

/** Returns the trouble of a query that has no data because of its errors. */
export function troubleOf([error]: readonly GraphError[]): Trouble {
  const { status = 500, retryAfter, message } = error ?? { message: 'there is no data' };
  return new Trouble(kindOf(status), `graphql: ${message}`, {
    status,
    ...(retryAfter !== undefined && { retryAfter: Math.min(retryAfter, LONGEST_WAIT) }),
  });
}
