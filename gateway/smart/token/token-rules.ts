import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { PatientGrant } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { tenantBase } from '../../../schema/http/request.ts';
import type { Permission } from '../../../schema/access/scopes.ts';
import type { AuthorizationConfig, Tenant } from '../../../schema/tenant/tenant.ts';
import type { ActiveToken } from './introspect.ts';
import type { PolicyRow } from '../patient/policy.ts';
import { grantsOf } from '../patient/policy.ts';
import { quirksOf } from './quirks.ts';
import type { Ehr, ExternalConfig } from '../discovery/smart-configuration.ts';
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
  if (token.exp !== undefined && endOf(token.exp) <= now) throw invalid();
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

/** Patients in reach, and the token's scopes that count for them. */
export interface Reach {
  permissions: readonly Permission[];
  patients: readonly PatientGrant[];
}

/**
 * Returns the token with its patient, from the place where this type of server names it (SM-11). A `sub` counts only if it
 * names a Patient of the clinical base.
 */
export function withPatient(token: ActiveToken, config: ExternalConfig): ActiveToken {
  if (quirksOf(config).patientFrom !== 'sub') return token;
  const { patient: _, ...rest } = token;
  const base = `${config.fhirBaseUrl}/Patient/`;
  const id = token.sub?.startsWith(base) ? token.sub.slice(base.length) : '';
  return FHIR_ID.test(id) ? { ...rest, patient: id } : rest;
}

/** The part of a tenant's configuration that decides what its tokens reach. */
export type ReachConfig = Pick<AuthorizationConfig, 'modes' | 'policy'>;

export interface ReachOptions {
  /** Decision of the tenant's service for the client. */
  decided?: readonly PolicyRow[];
  /**
   * Scopes that count without a patient in context, for patients whom a request names and the EHR lets the caller read. The
   * list `patients` is then empty. Default: none.
   */
  asked?: 'user' | 'any';
}

/**
 * Returns the reach of a token by one grant, never a mix of two (IA-9): App Launch scopes with the token's patient, or system
 * scopes with the client's policy, each only in a tenant with that mode (IA-4, IA-6, IA-8).
 * @throws Fault `insufficient_scope` when no scope of the token counts; `not_implemented` for a policy service that was not
 *   asked
 */
export function reachOf(
  token: ActiveToken,
  permissions: readonly Permission[],
  config: ReachConfig,
  { decided, asked }: ReachOptions = {},
): Reach {
  const launched = launchPermissions(permissions, config);
  if (launched.length > 0 && hasPatient(token)) {
    return { permissions: launched, patients: [{ id: token.patient }] };
  }
  const system = systemPermissions(permissions, config);
  if (system.length > 0) {
    return { permissions: system, patients: grantsOf(decided ?? rowsOf(token.client_id, config.policy)) };
  }
  const open = asked === 'user' ? launched.filter(({ level }) => level === 'user') : asked ? launched : [];
  if (open.length > 0) return { permissions: open, patients: [] };
  if (launched.length > 0) throw short('The token has no patient in context.', 'launch/patient');
  const wanted = config.modes.includes('app-launch') ? 'patient' : 'system';
  throw short('The token has no scope that counts here.', `${wanted}/ImagingStudy.rs`);
}

/** Returns true when the client's policy decides what the token reaches (IA-8). */
export function countsAsBackend(
  token: ActiveToken,
  permissions: readonly Permission[],
  config: ReachConfig,
): boolean {
  const launched = launchPermissions(permissions, config).length > 0 && hasPatient(token);
  return !launched && systemPermissions(permissions, config).length > 0;
}

function hasPatient(token: ActiveToken): token is ActiveToken & { patient: string } {
  return token.patient !== undefined && FHIR_ID.test(token.patient);
}

/** Returns the scopes of App Launch, if it is on (IA-4). */
function launchPermissions(permissions: readonly Permission[], config: ReachConfig): Permission[] {
  return config.modes.includes('app-launch') ? permissions.filter(({ level }) => level !== 'system') : [];
}

/** Returns the `system/` scopes, if Backend Services is on (IA-4). */
function systemPermissions(permissions: readonly Permission[], config: ReachConfig): Permission[] {
  return config.modes.includes('backend-services')
    ? permissions.filter(({ level }) => level === 'system')
    : [];
}

/** Returns the client's rows of the policy. A client without rows reaches no patient. */
function rowsOf(client: string | undefined, policy: ReachConfig['policy']): readonly PolicyRow[] {
  if (!Array.isArray(policy)) {
    throw new Fault('not_implemented', 'This kind of tenant has no policy service yet.', {
      service: 'authorization',
    });
  }
  return policy.filter((row) => client !== undefined && row.client_id === client);
}

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

/** Returns the same fault for expired, revoked, foreign and invented tokens (RFC 6750 §3.1). */
export function invalid(): Fault {
  return new Fault('invalid_token', 'The access token is expired, revoked, or not meant for this server.');
}

const short = (message: string, scope: string) => new Fault('insufficient_scope', message, { scope });

const same = (a: string, b: string) => a.replace(/\/+$/, '') === b.replace(/\/+$/, '');
