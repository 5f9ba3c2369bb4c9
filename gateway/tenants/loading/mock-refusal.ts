import { sep } from 'node:path';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { TenantSettings } from './settings.ts';

/**
 * SM-11: whoever can reach a mock tenant reads everything in it, and so does, after a sign-in without a password, whoever
 * can reach an embedded one.
 */
export function mockRefusal(tenant: Tenant, { demo, mockAllowed }: TenantSettings): string | undefined {
  const { type } = tenant.authorization;
  if ((type !== 'mock' && type !== 'embedded') || mockAllowed) return undefined;
  const demoImages = tenant.images.every(
    (source) => source.type === 'folder' && `${source.path}${sep}`.startsWith(`${demo.images}${sep}`),
  );
  const demoRecords =
    tenant.clinical.type === 'none' ||
    (tenant.clinical.type === 'store' && tenant.clinical.path === demo.patients);
  return demoImages && demoRecords
    ? undefined
    : `${type} authorization over other data than the demonstration’s needs HOST on loopback, or ALLOW_MOCK=1`;
}
