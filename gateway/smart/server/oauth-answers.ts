import type { FastifyReply, FastifyRequest } from 'fastify';
import { Fault, faultHeaders, toFault } from '../../../schema/fault/fault.ts';
import { tokenNeeded } from '../../../schema/fault/refusals.ts';
import { logFault } from '../../../schema/fault/log-fault.ts';
import { faultHandler } from '../../http/fault-reply.ts';
import { bearerToken } from '../token/bearer.ts';
import { NoInteraction } from './sign-in/interaction.ts';
import { escaped, page, pageHeaders } from './sign-in/page.ts';
import type { Served } from './server.ts';

/** Answers errors of an endpoint that people's browsers open: with a page for them, with OAuth's JSON for others. */
export function shownErrors(baseUrl: string) {
  const asJson = faultHandler(baseUrl, 'oauth');
  return (error: Error, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    if (!/\btext\/html\b/.test(request.headers.accept ?? '')) return asJson(error, request, reply);
    const fault = toFault(error);
    logFault(request.log, fault, {}, 'a request failed');
    return reply
      .code(fault.status)
      .headers({ ...faultHeaders(fault, ''), ...pageHeaders() })
      .send(page('This did not work', `<p>${escaped(fault.message)}`));
  };
}

/** Who asks, as far as the request says. */
export interface Counted {
  /** As the request names it; not there where it is a person who asks. */
  client?: string;
  /** Whether the request cannot be one more guess: asked only where others' failures would refuse it. */
  isNoGuess?: () => Promise<boolean>;
}

/**
 * Answers a request, unless too many of the same client and address have failed lately (SM-19). A sign-in that has ended
 * is none of them: which there are cannot be guessed.
 * @throws Fault `too_many_requests`
 */
export async function counted(
  { failures }: Served,
  request: FastifyRequest,
  reply: FastifyReply,
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

/** @throws Fault `too_many_requests` where an address, or everybody together, begins more than people do */
export function requireAdmitted({ admits }: Served, { ip }: FastifyRequest): void {
  if (admits(ip)) return;
  const message = 'Too many sign-ins are under way; try again in a moment.';
  throw new Fault('too_many_requests', message, { retryAfter: 2 });
}

/** @throws Fault `unauthenticated` where there is no bearer token, `invalid_request` where it is malformed */
export function requireBearer({ raw }: FastifyRequest): string {
  const token = bearerToken(raw);
  if (token === undefined) throw tokenNeeded();
  return token;
}

export const invalidToken = (): Fault =>
  new Fault('invalid_token', 'The access token is expired, revoked, or not ours.');
