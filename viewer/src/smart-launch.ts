import * as oauth from 'oauth4webapi';

/** SMART App Launch 2.2 as a public client in the browser: code flow with PKCE S256. */

/** The members of a SMART configuration that a launch needs. No authorization endpoint: no token is needed. */
export interface SmartServer {
  issuer?: string;
  authorization_endpoint?: string;
  token_endpoint?: string;
  revocation_endpoint?: string;
}

/** The state of a launch until the authorization server redirects the browser back. */
export interface Pending {
  fhirBase: string;
  redirectUri: string;
  verifier: string;
  /** The query string of the page before the launch. */
  returnTo: string;
}

/** An access token with the other data of the token response. */
export interface Grant {
  fhirBase: string;
  token: string;
  refreshToken?: string;
  /** Expiry in milliseconds since the epoch. */
  expires: number;
  /** The patient in context, SMART App Launch 2.2 §3.0.2. */
  patient?: string;
}

const CLIENT: oauth.Client = { client_id: 'viewer' };
const SCOPE = 'launch/patient patient/*.rs online_access';
const KEY = 'smart-launch ';

/**
 * Reads the server's SMART configuration (§2.1).
 * @throws Error with a message for the user
 */
export async function smartServer(fhirBase: string): Promise<SmartServer> {
  const response = await fetch(`${fhirBase}/.well-known/smart-configuration`, {
    headers: { accept: 'application/json' },
  });
  if (!response.ok) throw new Error(`The server did not say how to sign in (${response.status}).`);
  return (await response.json()) as SmartServer;
}

/**
 * Starts a launch.
 * @param launch the EHR's launch id; undefined for a standalone launch
 * @returns the URL of the authorization request
 */
export async function beginLaunch(
  server: SmartServer,
  page: { fhirBase: string; redirectUri: string; returnTo: string; launch?: string },
  storage: Storage = sessionStorage,
): Promise<URL> {
  const { launch, ...rest } = page;
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const pending: Pending = { ...rest, verifier };
  storage.setItem(KEY + state, JSON.stringify(pending));
  const url = new URL(server.authorization_endpoint!);
  const parameters = {
    response_type: 'code',
    client_id: CLIENT.client_id,
    redirect_uri: page.redirectUri,
    scope: launch ? SCOPE.replace('launch/patient', 'launch') : SCOPE,
    state,
    aud: page.fhirBase,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(launch && { launch }),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

/** Returns true if the URL is an authorization response. */
export function isAnswer({ searchParams }: URL): boolean {
  return searchParams.has('state') && (searchParams.has('code') || searchParams.has('error'));
}

/**
 * Returns the launch that an authorization response belongs to, and removes it from the storage.
 * @throws Error if this browser tab did not start the launch
 */
export function takePending(answer: URL, storage: Storage = sessionStorage): Pending {
  const key = KEY + answer.searchParams.get('state')!;
  const stored = storage.getItem(key);
  storage.removeItem(key);
  if (!stored) throw new Error('This sign-in was not begun in this tab. Please sign in again.');
  return JSON.parse(stored) as Pending;
}

/**
 * Completes a launch: exchanges the code for a token.
 * @param server the configuration of `pending.fhirBase`
 * @throws Error if access was denied, or if the response is from another server
 */
export async function completeLaunch(server: SmartServer, answer: URL, pending: Pending): Promise<Grant> {
  const as = authorizationServer(server, pending.fhirBase);
  const parameters = validated(as, answer);
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    CLIENT,
    oauth.None(),
    parameters,
    pending.redirectUri,
    pending.verifier,
    insecureOnLocalhost(as),
  );
  return grantOf(await oauth.processAuthorizationCodeResponse(as, CLIENT, response), pending.fhirBase);
}

function validated(as: oauth.AuthorizationServer, answer: URL): URLSearchParams {
  try {
    return oauth.validateAuthResponse(as, CLIENT, answer, answer.searchParams.get('state')!);
  } catch (error) {
    if (!(error instanceof oauth.AuthorizationResponseError)) throw error;
    const { error: code, error_description: description } = error;
    const message =
      code === 'access_denied' ? 'Access was not allowed, and so nothing can be shown.' : description;
    throw new Error(message ?? `The server could not sign you in (${code}).`, { cause: error });
  }
}

/** Returns a new token for the grant's refresh token; undefined if it has none or the server refuses it. */
export async function refresh(server: SmartServer, grant: Grant): Promise<Grant | undefined> {
  if (!grant.refreshToken) return undefined;
  const as = authorizationServer(server, grant.fhirBase);
  try {
    const response = await oauth.refreshTokenGrantRequest(
      as,
      CLIENT,
      oauth.None(),
      grant.refreshToken,
      insecureOnLocalhost(as),
    );
    const tokens = await oauth.processRefreshTokenResponse(as, CLIENT, response);
    return { ...grant, ...grantOf(tokens, grant.fhirBase) };
  } catch (error) {
    if (error instanceof oauth.ResponseBodyError) return undefined;
    throw error;
  }
}

/** Revokes the grant's token (RFC 7009) if the server has a revocation endpoint. */
export async function revoke(server: SmartServer, grant: Grant): Promise<void> {
  if (!server.revocation_endpoint) return;
  const as = authorizationServer(server, grant.fhirBase);
  const token = grant.refreshToken ?? grant.token;
  await oauth.revocationRequest(as, CLIENT, oauth.None(), token, insecureOnLocalhost(as));
}

function authorizationServer(server: SmartServer, fhirBase: string): oauth.AuthorizationServer {
  return { ...server, issuer: server.issuer ?? fhirBase };
}

function insecureOnLocalhost({ token_endpoint = '' }: oauth.AuthorizationServer) {
  const { hostname } = new URL(token_endpoint);
  return { [oauth.allowInsecureRequests]: hostname === 'localhost' || hostname === '127.0.0.1' };
}

function grantOf(tokens: oauth.TokenEndpointResponse, fhirBase: string): Grant {
  const { access_token: token, refresh_token: refreshToken, expires_in: lifetime = 300, patient } = tokens;
  return {
    fhirBase,
    token,
    expires: Date.now() + lifetime * 1000,
    ...(refreshToken !== undefined && { refreshToken }),
    ...(typeof patient === 'string' && { patient }),
  };
}
