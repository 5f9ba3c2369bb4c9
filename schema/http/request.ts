import type {} from 'fastify';
import type { Access } from '../access/access.ts';
import type { RecordOperation } from '../fault/audit.ts';
import type { Tenant } from '../tenant/tenant.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the authorization hook before any handler runs. */
    tenant: Tenant;
    /** Set by the authorization hook on every route that needs authorization. On other routes reading it throws. */
    access: Access;
    /** Records the operations of this request (IA-30); undefined when nothing is audited. */
    audit: RecordOperation | undefined;
  }
}

/** Returns the absolute public base of a tenant: `https://host/prefix/{tenant}`. */
export function tenantBase(baseUrl: string, tenant: Pick<Tenant, 'path'>): string {
  return `${baseUrl.replace(/\/+$/, '')}/${tenant.path}`;
}

/** Returns the absolute public base of a tenant's FHIR API. */
export function fhirBase(baseUrl: string, tenant: Pick<Tenant, 'path'>): string {
  return `${tenantBase(baseUrl, tenant)}/fhir`;
}

/** Returns the URL of the tenant's protected resource metadata (RFC 9728 §3.1). @param base of the tenant */
export function resourceMetadataUrl(base: string): string {
  const { origin, pathname } = new URL(base);
  return `${origin}/.well-known/oauth-protected-resource${pathname}`;
}
