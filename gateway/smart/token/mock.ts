import type { Access } from '../../../schema/access/access.ts';
import type { AuthorizationConfig } from '../../../schema/tenant/tenant.ts';

export type MockConfig = Extract<AuthorizationConfig, { type: 'mock' }>;

/**
 * Access without any token (SM-11): a token that was sent is ignored and goes nowhere. Only the tenant's own patient
 * is in reach, unless `disableAuthzChecks` says all; with neither, nobody is.
 * @param expires seconds since the epoch
 */
export function mockAccess(tenant: string, config: MockConfig, expires: number): Access {
  const { patient, disableAuthzChecks } = config;
  const level = disableAuthzChecks ? 'system' : 'patient';
  const { id, identifier = [], birthDate } = patient ?? {};
  const own = id ? [{ id, identity: { id, identifier, ...(birthDate && { birthDate }) } }] : [];
  return {
    tenant,
    user: 'mock',
    patients: disableAuthzChecks ? 'all' : own,
    permissions: [{ level, type: '*', interactions: 'rs' }],
    expires,
  };
}
