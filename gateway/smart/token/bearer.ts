import type { IncomingMessage } from 'node:http';
import { Fault } from '../../../schema/fault/fault.ts';

/** `b64token` of RFC 6750 §2.1. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * The bearer token of a request, RFC 6750 §2.1. The header is the only place for one: §2.2 (form) and §2.3 (query)
 * put tokens where they are logged and cached.
 * @returns undefined where no bearer credentials were sent at all
 * @throws Fault `invalid_request` for malformed ones, several, or a token in the query
 */
export function bearerToken(request: IncomingMessage): string | undefined {
  const query = (request.url ?? '').split('?').slice(1).join('?');
  if (new URLSearchParams(query).has('access_token')) throw malformed(IN_HEADER);
  // Node itself keeps the first of several in `headers`, without a word.
  const { rawHeaders } = request;
  const headers = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === 'authorization',
  );
  if (headers.length > 1) throw malformed('Send one Authorization header, not several.');
  const [, scheme, token] = /^(\S+)(?:\s+(.*))?$/s.exec((headers[0] ?? '').trim()) ?? [];
  // Another scheme is no attempt at a bearer token: the challenge says what would be (RFC 6750 §3.1).
  if (scheme?.toLowerCase() !== 'bearer') return undefined;
  if (!token || !TOKEN.test(token))
    throw malformed('The Authorization header must read `Bearer` and one token.');
  return token;
}

/**
 * Refuses a token among the fields of a form (RFC 6750 §2.2).
 * @param form the body as its face parsed it: text, or name and value pairs
 * @throws Fault `invalid_request`
 */
export function refuseFormToken(form: unknown): void {
  if (typeof form !== 'string' && !Array.isArray(form)) return;
  if (new URLSearchParams(form as string | [string, string][]).has('access_token'))
    throw malformed(IN_HEADER);
}

const IN_HEADER = 'An access token belongs in the Authorization header.';

function malformed(message: string): Fault {
  return new Fault('invalid_request', message, { credentials: true });
}
