import type { Logger } from 'pino';
import { isOfStop } from '../../../schema/fault/refusals.ts';
import type { Tenant } from '../../../schema/tenant/tenant.ts';

/**
 * Returns what logs why a tenant could not be prepared. That affects only the tenant; its next request tries again. The end
 * of the process is no reason.
 */
export function notPrepared(
  log: Pick<Logger, 'error'>,
  { key }: Pick<Tenant, 'key'>,
): (err: unknown) => void {
  return (err) => {
    if (!isOfStop(err)) log.error({ err, tenant: key }, 'preparation');
  };
}
