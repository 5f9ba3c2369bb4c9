import { hash, type Hash } from 'node:crypto';

/** Entity tags, and `If-None-Match` by one rule for all APIs (RFC 9110 §8.8.3, §13.1.2). */

/** Returns a strong entity tag of bytes, or of a text that identifies them. */
export function tagOf(content: Uint8Array | string): string {
  return `"${hash('sha256', content, 'base64url').slice(0, 22)}"`;
}

/** Returns the same for bytes that a SHA-256 was given piece by piece. */
export function tagOfHash(bytes: Hash): string {
  return `"${bytes.digest('base64url').slice(0, 22)}"`;
}

/** Members of a list of entity tags; a comma may be part of a tag (RFC 9110 §8.8.3). */
const ENTITY_TAGS = /(?:^|,)\s*((?:W\/)?"[^"]*")\s*(?=,|$)/g;

/**
 * Returns the entity tag as the caller wrote it, when `If-None-Match` lists it. The comparison is weak: `W/` does not
 * count. `*` lists no tag.
 * @param ifNoneMatch value of the header
 */
export function heldTag(ifNoneMatch: string | undefined, tag: string): string | undefined {
  const listed = ifNoneMatch === undefined ? [] : [...ifNoneMatch.matchAll(ENTITY_TAGS)];
  return listed.map(([, one]) => one!).find((one) => opaque(one) === opaque(tag));
}

/**
 * Returns true when the condition `If-None-Match` is false, so that a read answers 304: the header lists the tag, or is `*`.
 * Call it only for a resource that exists, because `*` matches every resource.
 * @param tag undefined when the versions cannot be distinguished
 */
export function isHeldBy(ifNoneMatch: string | undefined, tag: string | undefined): boolean {
  return ifNoneMatch?.trim() === '*' || (tag !== undefined && heldTag(ifNoneMatch, tag) !== undefined);
}

function opaque(tag: string): string {
  return tag.replace(/^W\//, '');
}
