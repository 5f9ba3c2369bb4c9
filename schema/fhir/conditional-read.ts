import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Resource } from 'fhir/r4.js';
import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { setCacheControl } from '../http/cache-control.ts';
import { isHeldBy, tagOf } from '../http/entity-tag.ts';
import { sendFhir } from './fhir-request.ts';

/** Reads that answer 304 when the client already has the resource (R4 §3.1.0.1.3, RFC 9110 §13). */

/** Response headers with the version of a resource. */
export type VersionHeaders = { etag?: string; 'last-modified'?: string };

/** Characters of an entity tag (RFC 9110 §8.8.3). */
const TAG_CHARACTERS = /^[\x21\x23-\x7e]+$/;

/** Returns the version id of a stored resource: its own, or else one of its content (R4 §3.1.0.1.2). */
export function versionOf(resource: Resource): string {
  const own = resource.meta?.versionId ?? '';
  return TAG_CHARACTERS.test(own) ? own : hash('sha256', JSON.stringify(resource), 'hex').slice(0, 32);
}

/** Matches a version id that `versionOf` has made of the content. */
export const CONTENT_VERSION = /^[0-9a-f]{32}$/;

/** Returns the version of a stored resource, and its time as far as `meta` gives one (R4 §3.1.0.1.2). */
export function storedVersion(resource: Resource): VersionHeaders {
  const updated = new Date(resource.meta?.lastUpdated ?? NaN);
  return {
    etag: `W/"${versionOf(resource)}"`,
    ...(!Number.isNaN(updated.getTime()) && { 'last-modified': updated.toUTCString() }),
  };
}

/**
 * Returns the version of a resource that is generated for each answer: an entity tag of its content. There is no
 * `Last-Modified`, because the data behind the resource may change without a time of change.
 */
export function contentVersion(resource: Resource): VersionHeaders {
  return { etag: `W/${tagOf(JSON.stringify(resource))}` };
}

/** Sends a resource that was read, or 304. Call it only after the caller was authorized for the resource. */
export function sendRead(
  request: FastifyRequest,
  reply: FastifyReply,
  { resource, version }: { resource: Resource; version: VersionHeaders },
): FastifyReply {
  void reply.headers(version);
  if (!isUnmodified(request.headers, version)) return sendFhir(request, reply, resource);
  return setCacheControl(reply, 'noStore').code(304).send();
}

/** `If-None-Match` takes precedence over `If-Modified-Since` (RFC 9110 §13.1.3). */
function isUnmodified(headers: IncomingHttpHeaders, version: VersionHeaders): boolean {
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) return isHeldBy(ifNoneMatch, version.etag);
  return Date.parse(version['last-modified'] ?? '') <= Date.parse(headers['if-modified-since'] ?? '');
}
