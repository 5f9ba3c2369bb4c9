import type { IncomingMessage } from 'node:http';
import { Fault } from '../../../schema/fault/fault.ts';

/** Syntax of a token: `b64token` (RFC 6750 §2.1). */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * Reads the bearer token of a request (RFC 6750 §2.1). It must be in the header: forms (§2.2) and queries (§2.3) are logged
 * and cached.
 * @returns undefined when no bearer credentials were sent
 * @throws Fault `invalid_request` for malformed or several credentials, or a token in the query; `invalid_token` for a token
 *   with the scheme DPoP (RFC 9449 §7.1), whose proofs are not checked yet (SM-21)
 */
export function bearerToken(request: IncomingMessage): string | undefined {
  const { url = '' } = request;
  const query = url.indexOf('?');
  if (query >= 0 && new URLSearchParams(url.slice(query + 1)).has('access_token')) throw malformed(IN_HEADER);
  // In `headers`, Node silently keeps only the first of several.
  const { rawHeaders } = request;
  const headers = rawHeaders.filter(
    (_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === 'authorization',
  );
  if (headers.length > 1) throw malformed('Send one Authorization header, not several.');
  const [, scheme, token] = /^(\S+)(?:\s+(.*))?$/s.exec((headers[0] ?? '').trim()) ?? [];
  if (scheme?.toLowerCase() === 'dpop') throw new Fault('invalid_token', NO_DPOP, { isExplained: true });
  // Another scheme counts as no credentials: the answer is a challenge without an error (RFC 6750 §3.1).
  if (scheme?.toLowerCase() !== 'bearer') return undefined;
  if (!token || !TOKEN.test(token))
    throw malformed('The Authorization header must read `Bearer` and one token.');
  return token;
}

/**
 * Refuses a token among the fields of a form (RFC 6750 §2.2).
 * @param form the body as its API parsed it: text, or pairs of name and value
 * @throws Fault `invalid_request`
 */
export function refuseFormToken(form: unknown): void {
  if (typeof form !== 'string' && !Array.isArray(form)) return;
  if (new URLSearchParams(form as string | [string, string][]).has('access_token'))
    throw malformed(IN_HEADER);
}

const NO_DPOP =
  'The scheme DPoP is not supported yet. Use the scheme Bearer, with a token that is not bound to a key.';
const IN_HEADER = 'An access token belongs in the Authorization header.';

function malformed(message: string): Fault {
  return new Fault('invalid_request', message, { credentials: true });
}
