import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Resource } from 'fhir/r4.js';
import type { IncomingHttpHeaders } from 'node:http';
import { setCacheControl } from '../http/cache-control.ts';
import { holds, tagOf } from '../http/entity-tag.ts';
import { sendFhir } from './fhir-request.ts';

/** Reads that answer 304 to a client that has the resource already (R4 §3.1.0.1.3, RFC 9110 §13). */

/** Headers that tell the version of a resource. */
export type VersionHeaders = { etag?: string; 'last-modified'?: string };

/** Characters of an entity tag (RFC 9110 §8.8.3). */
const TAG_CHARACTERS = /^[\x21\x23-\x7e]+$/;

/** The version of a stored resource, as far as it says (R4 §3.1.0.1.2). */
export function storedVersion({ meta }: Resource): VersionHeaders {
  const updated = new Date(meta?.lastUpdated ?? NaN);
  return {
    ...(TAG_CHARACTERS.test(meta?.versionId ?? '') && { etag: `W/"${meta!.versionId}"` }),
    ...(!Number.isNaN(updated.getTime()) && { 'last-modified': updated.toUTCString() }),
  };
}

/**
 * The version of a resource that is made anew for each answer: a tag of its content. It has no time of the last change,
 * because what it is made of may change without one.
 */
export function contentVersion(resource: Resource): VersionHeaders {
  return { etag: `W/${tagOf(JSON.stringify(resource))}` };
}

/** Sends a resource that was read, or 304. Call it after the caller's right to the resource is established. */
export function sendRead(
  request: FastifyRequest,
  reply: FastifyReply,
  { resource, version }: { resource: Resource; version: VersionHeaders },
): FastifyReply {
  void reply.headers(version);
  if (!isUnmodified(request.headers, version)) return sendFhir(request, reply, resource);
  return setCacheControl(reply, 'noStore').code(304).send();
}

/** With `If-None-Match`, `If-Modified-Since` does not count (RFC 9110 §13.1.3). */
function isUnmodified(headers: IncomingHttpHeaders, version: VersionHeaders): boolean {
  const ifNoneMatch = headers['if-none-match'];
  if (ifNoneMatch !== undefined) return holds(ifNoneMatch, version.etag);
  return Date.parse(version['last-modified'] ?? '') <= Date.parse(headers['if-modified-since'] ?? '');
}
