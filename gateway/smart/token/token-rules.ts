import { decodeJwt, decodeProtectedHeader } from 'jose';
import { Fault } from '../../../schema/fault/fault.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { ActiveToken } from './introspect.ts';
import type { Ehr } from '../discovery/ehr-configuration.ts';
import { isAccessToken, isBoundToKey, isGivenToApp, isTypedOtherwise } from './token-kinds.ts';

/** Pure rules for the use of an active token. */

/** Largest difference of other clocks, for all times in foreign tokens. Our own tokens have times of our clock. */
export const CLOCK_TOLERANCE_SECONDS = 5;

/**
 * Refuses tokens that are no access tokens: client assertions (IA-12), which are JWTs issued by their subject or for the
 * token endpoint (RFC 7523 §3), and JWTs that name another kind. Refuses JWTs that are bound to a key, also when the server
 * that describes them does not say so.
 * @throws Fault `invalid_token`
 */
export function refuseOtherKinds(token: string, tokenEndpoint: unknown): void {
  const jwt = decoded(token);
  if (!jwt) return;
  const { typ, claims } = jwt;
  const selfIssued = claims.iss !== undefined && claims.iss === claims.sub;
  const forTokenEndpoint = typeof tokenEndpoint === 'string' && [claims.aud].flat().includes(tokenEndpoint);
  if (selfIssued || forTokenEndpoint || isTypedOtherwise(typ) || !isAccessToken(claims)) throw invalid();
  requireUnbound(claims);
}

/**
 * Refuses an id_token that the authorization server calls active without naming its kind.
 * @param client the app that it was issued to, by the server's answer
 * @throws Fault `invalid_token`
 */
export function refuseIdToken(token: string, client: string | undefined): void {
  const jwt = decoded(token);
  if (jwt && isGivenToApp(jwt.typ, jwt.claims, client)) throw invalid();
}

/** Returns header and claims of a JWT; undefined for an opaque token. */
function decoded(token: string): { typ: unknown; claims: ReturnType<typeof decodeJwt> } | undefined {
  // Errors take time, and many tokens are opaque.
  if (!token.includes('.')) return undefined;
  try {
    return { typ: decodeProtectedHeader(token).typ, claims: decodeJwt(token) };
  } catch {
    return undefined;
  }
}

/**
 * Refuses a token that has expired, has another issuer, or is not meant for this gateway (IA-5).
 * @param ours our public base, and the time in seconds since the epoch
 * @throws Fault `invalid_token`
 */
export function requireMeantForUs(
  token: ActiveToken,
  tenant: Tenant,
  { config, document }: Ehr,
  { baseUrl, now }: { baseUrl: string; now: number },
): void {
  if (token.exp !== undefined && endOf(token.exp) <= now) throw expired();
  if (token.nbf !== undefined && token.nbf > now + CLOCK_TOLERANCE_SECONDS) throw invalid();
  const issuer = ('issuer' in config && config.issuer) || document['issuer'];
  if (token.iss !== undefined && typeof issuer === 'string' && !same(token.iss, issuer)) throw invalid();
  if (token.aud === undefined) return;
  const base = tenantBase(baseUrl, tenant);
  const clinical = tenant.clinical.type === 'fhir' ? [tenant.clinical.baseUrl] : [];
  const ours = [base, `${base}/fhir`, `${base}/mcp`, config.fhirBaseUrl, ...clinical, ...config.audience];
  if (![token.aud].flat().some((audience) => ours.some((url) => same(audience, url)))) throw invalid();
}

/** Returns when a foreign token with this `exp` ends by our clock, in seconds since the epoch. */
export const endOf = (exp: number) => exp + CLOCK_TOLERANCE_SECONDS;

/**
 * Refuses a token that is bound to a key: no proof of possession is checked here yet, and without one whoever has stolen the
 * token could use it (SM-21, RFC 9449 §7.2, RFC 8705 §3).
 * @throws Fault `invalid_token`, with its reason in the challenge
 */
export function requireUnbound(token: Readonly<Record<string, unknown>>): void {
  if (isBoundToKey(token)) throw new Fault('invalid_token', BOUND, { isExplained: true });
}

const BOUND =
  'The access token is bound to a key (DPoP or mutual TLS), and this server does not check proofs of possession yet. Use a token that is not bound.';

/** Returns the same fault for revoked, foreign and invented tokens (RFC 6750 §3.1), and for those not known to have expired. */
export function invalid(): Fault {
  const message = 'The access token is expired, revoked, or not meant for this tenant.';
  return new Fault(
    'invalid_token',
    `${message} Get one from the authorization server that fhir/.well-known/smart-configuration of the tenant names.`,
  );
}

/** Returns the fault for a token of the tenant's own server that is known to have expired. */
export function expired(): Fault {
  const message = 'The access token has expired. Get a new one: with the refresh token, or by signing in.';
  return new Fault('invalid_token', message);
}

const same = (a: string, b: string) => a.replace(/\/+$/, '') === b.replace(/\/+$/, '');
