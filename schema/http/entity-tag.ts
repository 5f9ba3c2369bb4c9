import { hash } from 'node:crypto';

/** Entity tags, and `If-None-Match` by one rule for all APIs (RFC 9110 §8.8.3, §13.1.2). */

/** A strong entity tag of these bytes, or of a text that stands for them. */
export function tagOf(content: Uint8Array | string): string {
  return `"${hash('sha256', content, 'base64url').slice(0, 22)}"`;
}

/** Members of a list of entity tags; a comma may be part of a tag (RFC 9110 §8.8.3). */
const ENTITY_TAGS = /(?:^|,)\s*((?:W\/)?"[^"]*")\s*(?=,|$)/g;

/**
 * The entity tag as the caller wrote it, when `If-None-Match` lists it. The comparison is weak: `W/` does not count.
 * `*` lists no tag.
 * @param ifNoneMatch value of the header
 */
export function heldOf(ifNoneMatch: string | undefined, tag: string): string | undefined {
  const listed = ifNoneMatch === undefined ? [] : [...ifNoneMatch.matchAll(ENTITY_TAGS)];
  return listed.map(([, one]) => one!).find((one) => opaque(one) === opaque(tag));
}

/**
 * Whether `If-None-Match` is false, so that a read answers 304: it lists the tag, or is `*`. Ask only about something
 * that is known to exist: `*` is true of anything.
 * @param tag undefined where nothing tells the versions apart
 */
export function holds(ifNoneMatch: string | undefined, tag: string | undefined): boolean {
  return ifNoneMatch?.trim() === '*' || (tag !== undefined && heldOf(ifNoneMatch, tag) !== undefined);
}

function opaque(tag: string): string {
  return tag.replace(/^W\//, '');
}
