import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Resource } from 'fhir/r4.js';
import type { IncomingHttpHeaders } from 'node:http';
import { setCacheControl } from '../http/cache-control.ts';
import { isHeldBy, tagOf } from '../http/entity-tag.ts';
import { sendFhir } from './fhir-request.ts';

/** Reads that answer 304 when the client already has the resource (R4 §3.1.0.1.3, RFC 9110 §13). */

/** Response headers with the version of a resource. */
export type VersionHeaders = { etag?: string; 'last-modified'?: string };

/** Characters of an entity tag (RFC 9110 §8.8.3). */
const TAG_CHARACTERS = /^[\x21\x23-\x7e]+$/;

/** Returns the version of a stored resource, as far as its `meta` gives one (R4 §3.1.0.1.2). */
export function storedVersion({ meta }: Resource): VersionHeaders {
  const updated = new Date(meta?.lastUpdated ?? NaN);
  return {
    ...(TAG_CHARACTERS.test(meta?.versionId ?? '') && { etag: `W/"${meta!.versionId}"` }),
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
