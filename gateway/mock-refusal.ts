import { sep } from 'node:path';
import type { Tenant } from '../schema/tenant.ts';
import type { TenantSettings } from './tenants.ts';

/** SM-11: whoever can reach a mock tenant reads everything in it. */
export function mockRefusal(tenant: Tenant, { demo, mockAllowed }: TenantSettings): string | undefined {
  if (tenant.authorization.type !== 'mock' || mockAllowed) return undefined;
  const demoImages = tenant.images.every(
    (source) => source.type === 'folder' && `${source.path}${sep}`.startsWith(`${demo.images}${sep}`),
  );
  const demoRecords =
    tenant.clinical.type === 'none' ||
    (tenant.clinical.type === 'store' && tenant.clinical.path === demo.patients);
  return demoImages && demoRecords
    ? undefined
    : 'mock authorization over other data than the demonstration’s needs HOST on loopback, or ALLOW_MOCK=1';
}
