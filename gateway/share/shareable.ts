import type { Tenant } from '../../schema/tenant/tenant.ts';

/** Characters of the address of a manifest (SMART Health Links, "URL": at most 128). */
export const LONGEST_MANIFEST = 128;
/** Characters of the secret in it: 256 bits as base64url. */
const SECRET = 43;

/** Returns the length of the addresses of a tenant's manifests. @param key of the tenant */
export function manifestLength(baseUrl: string, key: string): number {
  return `${baseUrl.replace(/\/+$/, '')}/${key}/shl/`.length + SECRET;
}

/**
 * Returns why nothing of a tenant can be shared, whatever its configuration says; undefined when it can. Who opens a link has
 * no token: what is asked with the token of each user cannot be asked then.
 */
export function cannotShare({ authorization, dynamic }: Tenant): string | undefined {
  if (dynamic) return 'A tenant in the URL keeps nothing here, and so no links.';
  return authorization.type.startsWith('smart-on-fhir')
    ? 'Its EHR answers with the token of each user only, and who opens a link has none.'
    : undefined;
}
