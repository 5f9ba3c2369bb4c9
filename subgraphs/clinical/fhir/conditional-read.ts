import type { Resource } from 'fhir/r4.js';
import type { IncomingHttpHeaders } from 'node:http';

/** `ETag` and `Last-Modified` of a resource, as far as it says (R4 §3.1.0.1.2). */
export function versionHeaders({ meta }: Resource): { etag?: string; 'last-modified'?: string } {
  const updated = new Date(meta?.lastUpdated ?? NaN);
  return {
    ...(meta?.versionId !== undefined && { etag: `W/"${meta.versionId}"` }),
    ...(!Number.isNaN(updated.getTime()) && { 'last-modified': updated.toUTCString() }),
  };
}

/** Whether the client has this version already: a conditional read then answers 304 (R4 §3.1.0.1.3, RFC 9110 §13.2.2). */
export function isUnmodified(headers: IncomingHttpHeaders, resource: Resource): boolean {
  const version = versionHeaders(resource);
  const known = headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known) return known.includes('*') || known.some((tag) => `W/${tag}` === version.etag);
  const since = Date.parse(headers['if-modified-since'] ?? '');
  return Date.parse(version['last-modified'] ?? '') <= since;
}
