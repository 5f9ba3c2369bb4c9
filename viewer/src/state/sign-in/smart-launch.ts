/**
 * SMART App Launch 2.2 as a public client in the browser: code flow with PKCE S256. It is loaded where a sign-in begins or
 * ends: import it by `import()`.
 */
import * as oauth from 'oauth4webapi';
import { kindOf } from '../../data/transport.ts';
import { Trouble } from '../../data/trouble.ts';
import { SignInProblem } from './sign-in-problem.ts';
import { keepPending, type Pending, type TabStorage } from './smart-answer.ts';
import { isOpenId, type Known } from './smart-server.ts';

/** An access token with the other data of the token response. */
export interface Grant {
  token: string;
  refreshToken?: string;
  /** Expiry in milliseconds since the epoch. */
  expires: number;
  /** The patient in context, SMART App Launch 2.2 §3.0.2. */
  patient?: string;
  /** Granted scopes. */
  scope?: string;
  /** Reference of the user's resource (SMART App Launch 2.2 §4.5). It chooses words, and gives access to nothing. */
  fhirUser?: string;
  idToken?: string;
}

const SCOPE = 'launch/patient patient/*.rs online_access';
/** Asks who the user is. */
const IDENTITY = 'openid fhirUser';

export interface Launch {
  redirectUri: string;
  returnTo: string;
  /** The EHR's launch id; undefined for a standalone launch. */
  launch?: string | undefined;
  /** The scopes that are asked for; by default the record of one patient. */
  scope?: string;
  /** Asks the server to show no page (`prompt=none`, OpenID Connect Core §3.1.2.1). */
  isSilent?: boolean;
  /** The id_token of the user, who need not sign in again (`id_token_hint`, OpenID Connect Core §3.1.2.1). */
  idToken?: string | undefined;
}

/** Starts a launch. @returns the URL of the authorization request */
export async function beginLaunch(known: Known, launch: Launch, storage: TabStorage): Promise<URL> {
  const { server, smart } = known;
  const { redirectUri, returnTo, isSilent = false, idToken } = launch;
  const { scope = isOpenId(smart) ? `${IDENTITY} ${SCOPE}` : SCOPE } = launch;
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const { fhirBase } = server;
  const pending: Pending = { fhirBase, smart, redirectUri, returnTo, verifier, isSilent };
  keepPending(state, pending, storage);
  const url = new URL(smart.authorization_endpoint!);
  const parameters = {
    response_type: 'code',
    client_id: server.clientId,
    redirect_uri: redirectUri,
    scope: launch.launch === undefined ? scope : scope.replace('launch/patient', 'launch'),
    state,
    aud: server.fhirBase,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(launch.launch === undefined ? {} : { launch: launch.launch }),
    ...(isSilent && { prompt: 'none' }),
    ...(idToken === undefined ? {} : { id_token_hint: idToken }),
    ...studyHint(known, launch),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

/**
 * Names the study of the page to the gateway's own authorization server, which then offers its patient. Others do not know
 * the parameter, and need not learn what is looked at.
 */
function studyHint({ server, smart }: Known, { launch, returnTo }: Launch): { study_hint?: string } {
  const own = server.fhirBase.replace(/fhir$/, 'oauth/');
  const study = new URLSearchParams(returnTo).get('study');
  const isTaken = launch === undefined && smart.authorization_endpoint!.startsWith(own);
  return isTaken && study ? { study_hint: study } : {};
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
    const { answer, ...identity } = await identityOf(response);
    return { ...grantOf(await oauth.processAuthorizationCodeResponse(as, client, answer)), ...identity };
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
    const { answer, ...identity } = await identityOf(response);
    return { ...grant, ...grantOf(await oauth.processRefreshTokenResponse(as, client, answer)), ...identity };
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
  const { capabilities: _capabilities, share: _share, ...endpoints } = smart;
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

/**
 * Takes the identity of the user out of a token response. It came from the token endpoint itself and gives access to
 * nothing, so no sign-in fails because of it.
 */
async function identityOf(
  response: Response,
): Promise<{ answer: Response } & Pick<Grant, 'fhirUser' | 'idToken'>> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  const { id_token: idToken, ...tokens } = (body ?? {}) as Record<string, unknown>;
  const fhirUser = tokens['fhirUser'] ?? claimsOf(idToken)['fhirUser'];
  return {
    answer: typeof idToken === 'string' ? new Response(JSON.stringify(tokens), response) : response,
    ...(typeof fhirUser === 'string' && { fhirUser }),
    ...(typeof idToken === 'string' && { idToken }),
  };
}

function claimsOf(jwt: unknown): Record<string, unknown> {
  const [, payload = ''] = typeof jwt === 'string' ? jwt.split('.') : [];
  try {
    return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function grantOf(tokens: oauth.TokenEndpointResponse): Grant {
  const { access_token: token, refresh_token: refreshToken, expires_in: lifetime = 300 } = tokens;
  const { patient, scope } = tokens;
  return {
    token,
    expires: Date.now() + lifetime * 1000,
    // What a renewed grant does not say stays as it was.
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(typeof patient === 'string' && { patient }),
    ...(scope === undefined ? {} : { scope }),
  };
}
