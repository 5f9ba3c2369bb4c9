import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { PatientGrant } from '../../schema/access.ts';
import { Fault } from '../../schema/fault.ts';
import { FHIR_ID } from '../../schema/fhir.ts';
import { tenantBase } from '../../schema/request.ts';
import type { Permission } from '../../schema/scopes.ts';
import type { Tenant } from '../../schema/tenant.ts';
import type { ActiveToken } from './introspect.ts';
import type { ExternalConfig, SmartConfiguration } from './smart-configuration.ts';

/** Pure rules: what an active token may be used for here. */

/**
 * Refuses what was never meant as an access token: our own or anyone's client assertion (IA-12), which is a JWT issued
 * by its subject or meant for the token endpoint (RFC 7523 §3).
 * @throws Fault `invalid_token`
 */
export function refuseAssertion(token: string, tokenEndpoint: unknown): void {
  let claims: ReturnType<typeof decodeJwt>;
  let typ: unknown;
  try {
    claims = decodeJwt(token);
    typ = decodeProtectedHeader(token).typ;
  } catch {
    return; // an opaque token
  }
  const selfIssued = claims.iss !== undefined && claims.iss === claims.sub;
  const forTokenEndpoint = typeof tokenEndpoint === 'string' && [claims.aud].flat().includes(tokenEndpoint);
  if (selfIssued || forTokenEndpoint || typ === 'client-authentication+jwt') throw invalid();
}

/**
 * IA-5: unexpired, issued by the tenant's authorization server, meant for us.
 * @param now seconds since the epoch
 * @throws Fault `invalid_token`
 */
export function requireMeantForUs(
  token: ActiveToken,
  tenant: Tenant,
  config: ExternalConfig,
  document: SmartConfiguration,
  baseUrl: string,
  now: number,
): void {
  if (token.exp !== undefined && token.exp <= now) throw invalid();
  if (token.nbf !== undefined && token.nbf > now) throw invalid();
  const issuer = document['issuer'];
  if (token.iss !== undefined && typeof issuer === 'string' && !same(token.iss, issuer)) throw invalid();
  if (token.aud === undefined) return;
  const base = tenantBase(baseUrl, tenant);
  const clinical = tenant.clinical.type === 'fhir' ? [tenant.clinical.baseUrl] : [];
  const ours = [base, `${base}/fhir`, config.fhirBaseUrl, ...clinical, ...config.audience];
  if (![token.aud].flat().some((audience) => ours.some((url) => same(audience, url)))) throw invalid();
}

/** Who is in reach, and with which of the token's scopes. */
export interface Reach {
  permissions: readonly Permission[];
  patients: readonly PatientGrant[];
}

/**
 * Scopes and context of one grant, never those of two (IA-9): App Launch scopes with the token's patient, or system
 * scopes with the client's policy, each only in a tenant that has the mode (IA-4, IA-6, IA-8).
 * @throws Fault `insufficient_scope` where nothing of the token can be used; `not_implemented` for a policy service
 */
export function reachOf(
  token: ActiveToken,
  permissions: readonly Permission[],
  config: ExternalConfig,
): Reach {
  const launched = config.modes.includes('app-launch')
    ? permissions.filter(({ level }) => level !== 'system')
    : [];
  if (launched.length > 0 && token.patient !== undefined && FHIR_ID.test(token.patient)) {
    return { permissions: launched, patients: [{ id: token.patient }] };
  }
  const system = config.modes.includes('backend-services')
    ? permissions.filter(({ level }) => level === 'system')
    : [];
  if (system.length > 0)
    return { permissions: system, patients: preauthorized(token.client_id, config.policy) };
  if (launched.length > 0) throw short('The token has no patient in context.', 'launch/patient');
  const wanted = config.modes.includes('app-launch') ? 'patient' : 'system';
  throw short('The token has no scope that counts here.', `${wanted}/ImagingStudy.rs`);
}

/** A client without rows reaches nobody. */
function preauthorized(clientId: string | undefined, policy: ExternalConfig['policy']): PatientGrant[] {
  if (!Array.isArray(policy)) {
    throw new Fault('not_implemented', 'Policy services are not supported yet.', {
      service: 'authorization',
    });
  }
  const grants = new Map<string, PatientGrant>();
  for (const row of policy.filter((row) => clientId !== undefined && row.client_id === clientId)) {
    for (const id of row.patients) {
      const before = grants.get(id);
      const all = !row.studies || (before && !before.studies);
      grants.set(id, all ? { id } : { id, studies: [...(before?.studies ?? []), ...(row.studies ?? [])] });
    }
  }
  return [...grants.values()];
}

/** RFC 6750 §3.1: one answer for expired, revoked, foreign and made-up tokens. */
export function invalid(): Fault {
  return new Fault('invalid_token', 'The access token is expired, revoked, or not meant for this server.');
}

const short = (message: string, scope: string) => new Fault('insufficient_scope', message, { scope });

const same = (a: string, b: string) => a.replace(/\/+$/, '') === b.replace(/\/+$/, '');
