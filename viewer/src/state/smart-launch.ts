/** SMART App Launch 2.2 as a public client in the browser: code flow with PKCE S256. */
import * as oauth from 'oauth4webapi';
import { kindOf, Transport } from '../data/transport.ts';
import { Trouble } from '../data/trouble.ts';
import type { Server } from './servers.ts';
import { SignInProblem } from './sign-in-problem.ts';

/** The members of a SMART configuration that a launch needs. No authorization endpoint: no token is needed. */
export interface SmartServer {
  issuer?: string;
  authorization_endpoint?: string;
  token_endpoint?: string;
  revocation_endpoint?: string;
  capabilities?: readonly string[];
}

/** A server with what it says of itself. */
export interface Known {
  server: Server;
  smart: SmartServer;
}

/** The state of a launch until the authorization server redirects the browser back. */
export interface Pending {
  fhirBase: string;
  redirectUri: string;
  verifier: string;
  /** The query string of the page before the launch. */
  returnTo: string;
  /** True if the server was asked to show no page. */
  isSilent: boolean;
}

/** An access token with the other data of the token response. */
export interface Grant {
  token: string;
  refreshToken?: string;
  /** Expiry in milliseconds since the epoch. */
  expires: number;
  /** The patient in context, SMART App Launch 2.2 §3.0.2. */
  patient?: string;
}

/** What is kept between the pages of one sign-in: never a token. */
export type TabStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

const SCOPE = 'launch/patient patient/*.rs online_access';
const KEY = 'smart-launch ';

/**
 * Reads the server's SMART configuration (§2.1). A server without one that has a CapabilityStatement needs no token.
 * @throws SignInProblem `unreachable`
 */
export async function smartServer(fhirBase: string): Promise<SmartServer> {
  const transport = new Transport([]);
  const json = (path: string) => transport.json(`${fhirBase}/${path}`, { accept: 'application/json' });
  try {
    return ((await json('.well-known/smart-configuration')) ?? {}) as SmartServer;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    const isOpen =
      error.kind === 'not-found' &&
      (await json('metadata').then(
        () => true,
        () => false,
      ));
    if (isOpen) return {};
    const message = 'The server did not say how to sign in. Check its address, or try again later.';
    throw new SignInProblem('unreachable', message, { cause: error });
  }
}

export interface Launch {
  redirectUri: string;
  returnTo: string;
  /** The EHR's launch id; undefined for a standalone launch. */
  launch?: string | undefined;
  /** Asks the server to show no page (`prompt=none`, OpenID Connect Core §3.1.2.1). */
  isSilent?: boolean;
}

/** Starts a launch. @returns the URL of the authorization request */
export async function beginLaunch(
  { server, smart }: Known,
  launch: Launch,
  storage: TabStorage,
): Promise<URL> {
  const { redirectUri, returnTo, isSilent = false } = launch;
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const pending: Pending = { fhirBase: server.fhirBase, redirectUri, returnTo, verifier, isSilent };
  storage.setItem(KEY + state, JSON.stringify(pending));
  const url = new URL(smart.authorization_endpoint!);
  const parameters = {
    response_type: 'code',
    client_id: server.clientId,
    redirect_uri: redirectUri,
    scope: launch.launch === undefined ? SCOPE : SCOPE.replace('launch/patient', 'launch'),
    state,
    aud: server.fhirBase,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(launch.launch !== undefined && { launch: launch.launch }),
    ...(isSilent && { prompt: 'none' }),
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
 * @throws SignInProblem `not-begun-here`
 */
export function takePending(answer: URL, storage: TabStorage): Pending {
  const key = KEY + answer.searchParams.get('state')!;
  const stored = storage.getItem(key);
  storage.removeItem(key);
  if (!stored)
    throw new SignInProblem(
      'not-begun-here',
      'This sign-in was not begun in this tab. Please sign in again.',
    );
  return JSON.parse(stored) as Pending;
}

/** Errors of a server that would have to show a page (OpenID Connect Core §3.1.2.6). */
const NEEDS_PAGE = [
  'login_required',
  'consent_required',
  'interaction_required',
  'account_selection_required',
];

/** Returns true if the response says that there is no sign-in without a page. */
export function needsPage({ searchParams }: URL): boolean {
  return NEEDS_PAGE.includes(searchParams.get('error') ?? '');
}

/**
 * Completes a launch: exchanges the code for a token.
 * @throws SignInProblem if access was denied, or the server refuses it; Trouble if it does not answer
 */
export async function completeLaunch(known: Known, answer: URL, pending: Pending): Promise<Grant> {
  const { as, client, options } = endpointsOf(known);
  const parameters = validated(as, client, answer);
  try {
    const response = await oauth.authorizationCodeGrantRequest(
      ...([as, client, oauth.None(), parameters, pending.redirectUri, pending.verifier] as const),
      options,
    );
    return grantOf(await oauth.processAuthorizationCodeResponse(as, client, response));
  } catch (error) {
    if (error instanceof Trouble) throw error;
    // Without the cause: it holds the answer, and so perhaps tokens.
    throw new SignInProblem('refused', 'The server could not complete the sign-in. Please sign in again.');
  }
}

function validated(as: oauth.AuthorizationServer, client: oauth.Client, answer: URL): URLSearchParams {
  try {
    return oauth.validateAuthResponse(as, client, answer, answer.searchParams.get('state')!);
  } catch (error) {
    const { error: code, error_description: description } =
      error instanceof oauth.AuthorizationResponseError
        ? error
        : { error: undefined, error_description: undefined };
    if (code === 'access_denied')
      throw new SignInProblem('denied', 'Access was not allowed, and so nothing can be shown.');
    const reason = description ?? code ?? 'its answer is not for this sign-in';
    throw new SignInProblem('refused', `The server could not sign you in: ${reason}.`);
  }
}

/**
 * Returns a new token for the grant's refresh token (RFC 6749 §6); undefined if it has none or the server refuses it.
 * @throws Trouble if the server does not answer
 */
export async function refresh(known: Known, grant: Grant): Promise<Grant | undefined> {
  if (!grant.refreshToken) return undefined;
  const { as, client, options } = endpointsOf(known);
  try {
    const response = await oauth.refreshTokenGrantRequest(
      as,
      client,
      oauth.None(),
      grant.refreshToken,
      options,
    );
    return { ...grant, ...grantOf(await oauth.processRefreshTokenResponse(as, client, response)) };
  } catch (error) {
    if (error instanceof Trouble) throw error;
    return undefined;
  }
}

/**
 * Revokes the grant's tokens (RFC 7009), the refresh token first: without it nobody gets another access token.
 * @returns false if the server has not confirmed it
 */
export async function revoke(known: Known, { refreshToken, token }: Grant): Promise<boolean> {
  if (!known.smart.revocation_endpoint) return false;
  const { as, client, options } = endpointsOf(known);
  const revokeOne = async (value: string, hint: string): Promise<boolean> => {
    try {
      const additionalParameters = { token_type_hint: hint };
      const request = oauth.revocationRequest(as, client, oauth.None(), value, {
        ...options,
        additionalParameters,
      });
      await oauth.processRevocationResponse(await request);
      return true;
    } catch {
      return false;
    }
  };
  const isRefreshRevoked = refreshToken === undefined || (await revokeOne(refreshToken, 'refresh_token'));
  return (await revokeOne(token, 'access_token')) && isRefreshRevoked;
}

function endpointsOf({ server, smart }: Known) {
  const { capabilities: _, ...endpoints } = smart;
  const as: oauth.AuthorizationServer = { ...endpoints, issuer: smart.issuer ?? server.fhirBase };
  const { hostname } = new URL(smart.token_endpoint ?? server.fhirBase);
  const options = {
    [oauth.allowInsecureRequests]: hostname === 'localhost' || hostname === '127.0.0.1',
    [oauth.customFetch]: answering,
  };
  return { as, client: { client_id: server.clientId } satisfies oauth.Client, options };
}

/** A `fetch` of token requests. @throws Trouble if the server cannot answer now: a refusal is something else */
async function answering(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, cache: 'no-store', credentials: 'omit' });
  } catch {
    throw new Trouble('offline', 'the authorization server does not answer');
  }
  const { status } = response;
  if (status === 429 || status >= 500)
    throw new Trouble(kindOf(status), `the authorization server answered ${status}`, { status });
  return response;
}

function grantOf(tokens: oauth.TokenEndpointResponse): Grant {
  const { access_token: token, refresh_token: refreshToken, expires_in: lifetime = 300, patient } = tokens;
  return {
    token,
    expires: Date.now() + lifetime * 1000,
    ...(refreshToken !== undefined && { refreshToken }),
    ...(typeof patient === 'string' && { patient }),
  };
}
