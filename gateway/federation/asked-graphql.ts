import type { FastifyRequest } from 'fastify';

/** A GraphQL request as it is executed. */
export interface AskedGraphql extends Pick<FastifyRequest, 'method' | 'headers'> {
  /** The query of the URL, with its question mark. */
  search: string;
  body: unknown;
}

/** Returns what a client sent. */
export function askedGraphql(request: FastifyRequest): AskedGraphql {
  const { method, headers, body } = request;
  return { method, headers, search: searchOf(request), body };
}

/** Returns the query of a URL, with its question mark. */
export const searchOf = (request: FastifyRequest): string => new URL(request.url, 'http://x').search;
