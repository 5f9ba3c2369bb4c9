import * as oauth from 'oauth4webapi';
import { refusalReason, secretsOf } from './oauth-refusal.ts';

/** A request for an access token of the gateway. */
export interface TokenRequest {
  tokenUrl: string;
  clientId: string;
  scope?: string | null | undefined;
  /** Adds the client authentication to the form or to the headers. */
  authentication: oauth.ClientAuth;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Sends the request. Its errors are passed to the caller. */
  fetch: (url: string, request: TokenHttpRequest) => Promise<Response>;
}

export type TokenHttpRequest = oauth.CustomFetchOptions<'POST', URLSearchParams>;

/** Answer of the authorization server. */
export interface TokenAnswer {
  /** The access token; undefined when there is none. */
  token?: string;
  /** Status, error and description of an answer without a token, and a difference of clocks. */
  refusal?: string;
  /** Seconds; undefined when the server does not give it. */
  lifetime?: number;
}

/**
 * Requests a token by the client credentials grant (RFC 6749 §4.4).
 *
 * The library sends the request, but does not read the answer: it refuses one without `token_type` (RFC 6749 §5.1), which
 * Epic and many archives leave out.
 */
export async function clientCredentialsToken(request: TokenRequest): Promise<TokenAnswer> {
  const { tokenUrl, clientId, scope, authentication, fetch, now } = request;
  let secrets: string[] = [];
  const asked = now();
  const response = await oauth.clientCredentialsGrantRequest(
    // The issuer is not compared with anything, because the answer has no id_token.
    { issuer: tokenUrl, token_endpoint: tokenUrl },
    { client_id: clientId },
    authentication,
    new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) }),
    // A tenant file may name a server on this machine or in the local network.
    {
      [oauth.customFetch]: (url: string, sent: TokenHttpRequest) => {
        secrets = secretsOf(sent.body, new Headers(sent.headers).get('authorization'));
        return fetch(url, sent);
      },
      [oauth.allowInsecureRequests]: true,
    },
  );
  const { status, headers } = response;
  const exchange = { asked, answered: now() };
  const json = (await response.json().catch(() => undefined)) as Record<string, unknown> | null | undefined;
  const { access_token: token, expires_in: lifetime } = json ?? {};
  if (status !== 200 || typeof token !== 'string')
    return { refusal: refusalReason({ status, headers, json }, exchange, secrets) };
  return { token, ...(typeof lifetime === 'number' && { lifetime }) };
}

/** Returns the client authentication by HTTP Basic (RFC 6749 §2.3.1): identifier and secret are percent-encoded first. */
export function basicAuthentication(clientId: string, secret: string): string {
  // `oauth.ClientSecretBasic` also encodes `-`, `_` and `.`: servers that do not decode would refuse that.
  return basic(encodeURIComponent(clientId), encodeURIComponent(secret));
}

/** Returns an Authorization header value for HTTP Basic (RFC 7617 §2). */
export function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}
