import type { FastifyReply, FastifyRequest } from 'fastify';
import { Fault, faultHeaders, toFault } from '../../../schema/fault/fault.ts';
import { tokenNeeded } from '../../../schema/fault/refusals.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import { faultHandler } from '../../http/fault-reply.ts';
import { bearerToken } from '../token/bearer.ts';
import { requireUnbound } from '../token/token-rules.ts';
import { NoInteraction } from './sign-in/interaction.ts';
import { escaped, page, pageHeaders } from './sign-in/page.ts';
import { describe, type DescribedToken } from './own-token.ts';
import type { Served } from './server.ts';

/** Returns the error handler of an endpoint that browsers open: a page for browsers, OAuth's JSON for other clients. */
export function shownErrors(baseUrl: string) {
  const asJson = faultHandler(baseUrl, 'oauth');
  return (error: Error, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    if (!/\btext\/html\b/.test(request.headers.accept ?? '')) return asJson(error, request, reply);
    const fault = toFault(error);
    logFault(request.log, fault, { tenant: request.tenant.key }, 'a request failed');
    return reply
      .code(fault.status)
      .headers({ ...faultHeaders(fault, ''), ...pageHeaders() })
      .send(page('This did not work', `<p>${escaped(fault.message)}`));
  };
}

/** The origin of a request for the count of failures. */
export interface Counted {
  /** The client that the request names; undefined for a request of a person. */
  client?: string;
  /** Returns true when the request cannot be a guess. Called only when failures of others would refuse it. */
  isNoGuess?: () => Promise<boolean>;
}

/**
 * Answers a request, unless too many of the same client and address have failed recently (SM-19). A request for a sign-in
 * that has ended does not count: its id cannot be guessed.
 * @throws Fault `too_many_requests`
 */
export async function counted(
  { failures }: Served,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
  { client = '', isNoGuess = async () => false }: Counted,
  answer: () => Promise<unknown>,
): Promise<FastifyReply> {
  const asker = { endpoint: request.routeOptions.url!, client, address: request.ip };
  const wait = failures.wait(asker);
  if (wait !== undefined && !(await isNoGuess())) {
    const message = 'Too many requests like this one have failed; try again later.';
    throw new Fault('too_many_requests', message, { retryAfter: wait });
  }
  const count = (status: number) => {
    if (status >= 400 && status < 500) failures.count(asker);
  };
  try {
    await answer();
  } catch (error) {
    if (!(error instanceof NoInteraction)) count(toFault(error).status);
    throw error;
  }
  count(reply.raw.statusCode);
  return reply;
}

/** @throws Fault `too_many_requests` when an address, or all together, begin more sign-ins than people do */
export function requireAdmitted({ admits }: Served, { ip }: FastifyRequest): void {
  if (admits(ip)) return;
  const message = 'Too many sign-ins are under way; try again in a moment.';
  throw new Fault('too_many_requests', message, { retryAfter: 2 });
}

/** Returns the bearer token. @throws Fault `unauthenticated` when there is none, `invalid_request` when it is malformed */
export function requireBearer({ raw }: FastifyRequest): string {
  const token = bearerToken(raw);
  if (token === undefined) throw tokenNeeded();
  return token;
}

/**
 * Returns the description of our own token by which a caller asks our server.
 * @throws Fault `invalid_token`, and those of `requireBearer`
 */
export async function requireOwnToken(server: Served, request: FastifyRequest): Promise<DescribedToken> {
  const token = await describe(server, requireBearer(request));
  if (!token) throw invalidToken();
  requireUnbound(token);
  return token;
}

export const invalidToken = (): Fault =>
  new Fault('invalid_token', 'The access token is expired, revoked, or from another tenant.');
