import * as oauth from 'oauth4webapi';

/** A request for a token of our own. */
export interface TokenRequest {
  tokenUrl: string;
  clientId: string;
  scope?: string | null | undefined;
  /** Proves who we are: adds to the form or to the headers. */
  authentication: oauth.ClientAuth;
  /** Sends the request. What it throws goes to the caller. */
  fetch: (url: string, request: TokenHttpRequest) => Promise<Response>;
}

export type TokenHttpRequest = oauth.CustomFetchOptions<'POST', URLSearchParams>;

/** What the authorization server answered. */
export interface TokenAnswer {
  status: number;
  /** The access token; undefined where it gave none. */
  token?: string;
  /** Seconds; undefined where the server does not say. */
  lifetime?: number;
}

/**
 * Asks for a token by the client credentials grant, RFC 6749 §4.4.
 *
 * The library sends the request. It does not judge the answer: it refuses one without `token_type` (RFC 6749 §5.1), which
 * Epic and many archives leave out.
 */
export async function clientCredentialsToken(request: TokenRequest): Promise<TokenAnswer> {
  const { tokenUrl, clientId, scope, authentication, fetch } = request;
  const response = await oauth.clientCredentialsGrantRequest(
    // No issuer is compared with anything: the answer is no id_token.
    { issuer: tokenUrl, token_endpoint: tokenUrl },
    { client_id: clientId },
    authentication,
    new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) }),
    // A tenant file may name a server on this machine, or in this network.
    { [oauth.customFetch]: fetch, [oauth.allowInsecureRequests]: true },
  );
  const { status } = response;
  const json = (await response.json().catch(() => undefined)) as Record<string, unknown> | null | undefined;
  const { access_token: token, expires_in: lifetime } = json ?? {};
  if (status !== 200 || typeof token !== 'string') return { status };
  return { status, token, ...(typeof lifetime === 'number' && { lifetime }) };
}

/** Client authentication by HTTP Basic (RFC 6749 §2.3.1): identifier and secret are percent-encoded first. */
export function basicAuthentication(clientId: string, secret: string): string {
  // Not as `oauth.ClientSecretBasic` does it: that encodes `-`, `_` and `.` too, which servers that decode nothing refuse.
  return basic(encodeURIComponent(clientId), encodeURIComponent(secret));
}

/** The value of an Authorization header, RFC 7617 §2. */
export function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}
