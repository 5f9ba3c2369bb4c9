import type { PatientGrant } from '../../../schema/access/access.ts';
import type { Permission } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import type { AuthorizationConfig } from '../../../schema/tenant/tenant.ts';
import type { ExternalConfig } from '../discovery/ehr-configuration.ts';
import type { ActiveToken } from '../token/introspect.ts';
import { quirksOf } from '../token/quirks.ts';
import { rowsOfUser } from '../../../schema/access/policy-rows.ts';
import { grantsOf, type PolicyRow } from './policy.ts';

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
 * Returns the reach of a token by one grant, never a mix of two (IA-9): App Launch scopes with the token's patient, system
 * scopes with the client's policy, or `user/` scopes with the user's, each only in a tenant with that mode (IA-4, IA-6, IA-8).
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
  const ofUser = launched.filter(({ level }) => level === 'user');
  const rows = ofUser.length > 0 ? rowsOfUser(config.policy, token.fhirUser, token.client_id) : [];
  if (rows.length > 0) return { permissions: ofUser, patients: grantsOf(rows) };
  const open = asked === 'user' ? ofUser : asked ? launched : [];
  if (open.length > 0) return { permissions: open, patients: [] };
  if (launched.length > 0)
    throw short(
      'The token has no patient in context. Ask for launch/patient when you get it.',
      'launch/patient',
    );
  const wanted = config.modes.includes('app-launch') ? 'patient' : 'system';
  const scope = `${wanted}/ImagingStudy.rs`;
  throw short(`The token has no scope that counts here. Ask for ${wanted}/ scopes, such as ${scope}.`, scope);
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
  return policy.filter((row) => client !== undefined && row.client_id === client && row.user === undefined);
}

const short = (message: string, scope: string) => new Fault('insufficient_scope', message, { scope });
