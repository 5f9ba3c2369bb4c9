import * as oauth from 'oauth4webapi';

const { VITE_TENANT = 'http://localhost:4000/demo' } = import.meta.env as Record<string, string | undefined>;
/** One tenant of a gateway: its record, images and authorization server are below this address. */
export const TENANT = VITE_TENANT.replace(/\/+$/, '');
/** An `r` to read, an `s` to search; `offline_access` for a refresh token. */
const SCOPE =
  'launch/patient patient/Patient.r patient/DiagnosticReport.rs patient/ImagingStudy.rs offline_access';
/** Address to which the sign-in returns. The server compares it exactly with the registered one. */
const REDIRECT = location.origin + location.pathname;
/** Plain HTTP is only for a server on this machine. */
const HTTP = { [oauth.allowInsecureRequests]: /^http:\/\/(localhost|127\.0\.0\.1)[:/]/.test(TENANT) };

/** The sign-in of this tab. The verifier is that of PKCE: only the page that began the sign-in can redeem its code. */
type Kept = Record<'client_id' | 'verifier' | 'state' | 'access_token' | 'refresh_token' | 'patient', string>;
/** It survives the way to the sign-in page and back, and a reload. */
const kept = () => JSON.parse(sessionStorage.getItem('kept') ?? '{}') as Kept;
const keep = (more: object) => sessionStorage.setItem('kept', JSON.stringify({ ...kept(), ...more }));
export const forget = () => sessionStorage.clear();
/** The id of the patient whom the person has chosen; undefined before the sign-in. */
export const patient = () => kept().patient as string | undefined;

/** Reads where the authorization server is. */
async function discover(): Promise<oauth.AuthorizationServer> {
  const response = await fetch(`${TENANT}/fhir/.well-known/smart-configuration`);
  if (!response.ok) throw new Error(`There is no server for a sign-in at ${TENANT}.`);
  return (await response.json()) as oauth.AuthorizationServer;
}

/** Registers the app, and goes to the sign-in page of the server. */
export async function signIn(): Promise<void> {
  const server = await discover();
  if (!server.registration_endpoint) throw new Error(`Apps register at …/demo, not at ${TENANT}.`);
  const app = { client_name: 'Sample app', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' };
  const answer = await oauth.dynamicClientRegistrationRequest(server, app, HTTP);
  const { client_id } = await oauth.processDynamicClientRegistrationResponse(answer);
  const [verifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()];
  forget();
  keep({ client_id, verifier, state });
  const parameters = new URLSearchParams({
    response_type: 'code',
    client_id,
    redirect_uri: REDIRECT,
    scope: SCOPE,
    state,
    aud: `${TENANT}/fhir`,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  location.assign(`${server.authorization_endpoint}?${parameters}`);
}

/** Exchanges the code in the address of the page for tokens, where the sign-in has just returned. */
export async function finishSignIn(): Promise<void> {
  const address = new URL(location.href);
  if (!address.searchParams.has('state')) return;
  history.replaceState(null, '', REDIRECT);
  const [server, began] = [await discover(), kept()];
  const code = oauth.validateAuthResponse(server, began, address, began.state);
  const exchange = [oauth.None(), code, REDIRECT, began.verifier, HTTP] as const;
  const answer = await oauth.authorizationCodeGrantRequest(server, began, ...exchange);
  keep(await oauth.processAuthorizationCodeResponse(server, began, answer));
}

async function refresh(): Promise<void> {
  const [server, old] = [await discover(), kept()];
  const exchange = [oauth.None(), old.refresh_token, HTTP] as const;
  const answer = await oauth.refreshTokenGrantRequest(server, old, ...exchange);
  keep(await oauth.processRefreshTokenResponse(server, old, answer));
}
let refreshing: Promise<void> | undefined;
/** Refreshes once for all requests that wait: a refresh token works once, and the answer has the next one. */
const refreshOnce = () => (refreshing ??= refresh().finally(() => (refreshing = undefined)));

/** As `fetch`, with the access token, which is refreshed when the server no longer takes it. */
export const authorizedFetch: typeof fetch = async (input, init) => {
  const send = () => {
    const headers = new Headers(init?.headers);
    headers.set('authorization', `Bearer ${kept().access_token}`);
    return fetch(input, { ...init, headers });
  };
  let response = await send();
  if (response.status === 401 && kept().refresh_token) response = await refreshOnce().then(send);
  if (response.ok) return response;
  const { message, errors } = await response.json().catch(() => ({}));
  throw new Error(message ?? errors?.[0]?.message ?? response.statusText, { cause: response });
};
