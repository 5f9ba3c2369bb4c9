import type {} from 'fastify';
import type { Access } from '../access/access.ts';
import type { RecordOperation } from '../fault/audit.ts';
import type { Tenant } from '../tenant/tenant.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the door before any handler runs. */
    tenant: Tenant;
    /** Set by the door on every route that needs authorization; reading it elsewhere throws. */
    access: Access;
    /** Where the cores record what this request asks of them (IA-30); undefined where nobody audits. */
    audit: RecordOperation | undefined;
  }
}

/** Absolute public base of a tenant: `https://host/prefix/{tenant}`. */
export function tenantBase(baseUrl: string, tenant: Pick<Tenant, 'path'>): string {
  return `${baseUrl.replace(/\/+$/, '')}/${tenant.path}`;
}

/** Where clients read which authorization server is the tenant's (RFC 9728 §3.1). @param base of the tenant */
export function resourceMetadataUrl(base: string): string {
  const { origin, pathname } = new URL(base);
  return `${origin}/.well-known/oauth-protected-resource${pathname}`;
}
