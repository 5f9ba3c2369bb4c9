import { sep } from 'node:path';
import type { Tenant } from '../../../schema/tenant/tenant.ts';
import type { TenantSettings } from './settings.ts';

/**
 * Returns why a mock or embedded tenant must not load (SM-11). Anybody who can reach a mock tenant reads everything in
 * it; in an embedded one, after a sign-in without a password.
 */
export function mockRefusal(tenant: Tenant, { demo, mockAllowed }: TenantSettings): string | undefined {
  const { type } = tenant.authorization;
  if ((type !== 'mock' && type !== 'embedded') || mockAllowed) return undefined;
  const { images, patients, population } = demo;
  const isOurs = (path: string) =>
    [images, patients, population].some(
      (folder) => folder !== undefined && `${path}${sep}`.startsWith(folder + sep),
    );
  const { clinical } = tenant;
  const ours =
    tenant.images.every((source) => source.type === 'folder' && isOurs(source.path)) &&
    (clinical.type === 'none' || (clinical.type === 'store' && isOurs(clinical.path)));
  return ours
    ? undefined
    : `${type} authorization over other data than the demonstration’s needs HOST on loopback, or ALLOW_MOCK=1`;
}
