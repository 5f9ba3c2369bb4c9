import type {} from 'fastify';
import type { Access } from './access.ts';
import type { Tenant } from './tenant.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the door before any handler runs. */
    tenant: Tenant;
    /** Set by the door on every route that needs authorization; reading it elsewhere throws. */
    access: Access;
  }
}

/** Absolute public base of a tenant: `https://host/prefix/{tenant}`. */
export function tenantBase(baseUrl: string, tenant: Pick<Tenant, 'path'>): string {
  return `${baseUrl.replace(/\/+$/, '')}/${tenant.path}`;
}
