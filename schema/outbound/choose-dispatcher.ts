import type { Dispatcher } from 'undici';
import type { Tenant } from '../tenant/tenant.ts';
import type { TlsConfig } from './tls.ts';

/**
 * Returns the connections to a service of a tenant: undefined for those without any rule. Dynamic tenants get guarded ones
 * (SM-15).
 * @param tls of the part of the tenant file that names the service
 */
export type ChooseDispatcher = (tenant: Tenant, tls?: TlsConfig) => Dispatcher | undefined;
