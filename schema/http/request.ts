import type {} from 'fastify';
import type { Access } from '../access/access.ts';
import type { RecordOperation } from '../access/audit.ts';
import type { Tenant } from '../tenant/tenant.ts';
import type { Api } from './served.ts';

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

/**
 * Returns the protected resource (RFC 9728) that an API belongs to: the tenant's base. Assistants compare it with the address
 * that they called, so that theirs is this address.
 */
export function resourceOfApi(base: string, api: Api | undefined): string {
  return api === 'mcp' ? `${base}/mcp` : base;
}

/** Returns the URL of the metadata of a protected resource (RFC 9728 §3.1). @param resource its URL */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname } = new URL(resource);
  return `${origin}/.well-known/oauth-protected-resource${pathname}`;
}
