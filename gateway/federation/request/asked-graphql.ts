import type { FastifyRequest } from 'fastify';
import { isRecord, type SentDocument } from './sent-document.ts';

/** A GraphQL request as it is executed. */
export interface AskedGraphql extends Pick<FastifyRequest, 'method' | 'headers'> {
  /** The query of the URL, with its question mark. */
  search: string;
  body: unknown;
  /** The document as it was sent, judged for a tenant that asks for trusted ones (FG-13). */
  document?: SentDocument;
}

/** Returns what a client sent. */
export function askedGraphql(request: FastifyRequest): AskedGraphql {
  const { method, headers, body } = request;
  return { method, headers, search: searchOf(request), body };
}

/** Returns the query of a URL, with its question mark. */
function searchOf({ url }: FastifyRequest): string {
  return url.includes('?') ? new URL(url, 'http://x').search : '';
}

/**
 * Returns the members of the body, or the parameters of the URL that occur once: others are refused, or read differently by
 * different readers.
 */
export function membersOf({ method, search, body }: AskedGraphql): Record<string, unknown> {
  if (method === 'POST') return isRecord(body) ? body : {};
  const parameters = [...new URLSearchParams(search)];
  const isOnce = (name: string) => parameters.filter(([other]) => other === name).length === 1;
  return Object.fromEntries(parameters.filter(([name]) => isOnce(name)));
}
