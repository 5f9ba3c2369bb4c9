import type { Access } from '../../../schema/access/access.ts';
import type { AuthorizationConfig, Tenant } from '../../../schema/tenant/tenant.ts';

export type MockConfig = Extract<AuthorizationConfig, { type: 'mock' }>;

/**
 * Returns an Access without a token (SM-11). A token that was sent is ignored and not passed on. With `disableAuthzChecks`
 * all patients are in reach, otherwise only the tenant's own patient, if there is one.
 * @param expires seconds since the epoch
 */
export function mockAccess(tenant: Tenant, config: MockConfig, expires: number): Access {
  const { patient, disableAuthzChecks } = config;
  const level = disableAuthzChecks ? 'system' : 'patient';
  const { id, identifier = [], birthDate } = patient ?? {};
  const own = id ? [{ id, identity: { id, identifier, ...(birthDate && { birthDate }) } }] : [];
  return {
    tenant: tenant.key,
    record: tenant.recordKey,
    user: 'mock',
    patients: disableAuthzChecks ? 'all' : own,
    permissions: [{ level, type: '*', interactions: 'rs' }],
    expires,
  };
}
