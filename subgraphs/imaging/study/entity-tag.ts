import { heldOf, tagOf } from '../../../schema/http/entity-tag.ts';
import { BUILD_ID } from '../dicom/build-id.ts';
import type { Target } from '../sources/source.ts';
import type { Imaging } from './studies.ts';
import type { Version } from './study-reader.ts';
import type { Payload } from './payload.ts';

/** Entity tags of retrievals, and what callers hold already (RFC 9110 §13.1.2). */

/**
 * The tag of what is made of instances as they are now.
 * @param made all else that it depends on
 * @returns undefined where the source cannot tell them from what they were
 */
export function tagOfMade(
  { source, patient, stamp }: Version,
  ...made: readonly unknown[]
): string | undefined {
  return stamp === undefined ? undefined : tagOf(JSON.stringify([BUILD_ID, source, patient, stamp, ...made]));
}

export interface Conditional {
  target: Target;
  /** As the record of the retrieval names it. */
  part: string;
  /** All else that the answer depends on. */
  form: readonly unknown[];
  /** The header If-None-Match. */
  ifNoneMatch: string | undefined;
}

/**
 * A target or a part of it, and its tag; 304 where the caller holds it, which is known before anything is opened.
 * The tag is weak, for boundaries are random, unless `given` makes it strong.
 * @param given is told the tag, without its `W/`
 */
export async function unlessHeld(
  imaging: Imaging,
  { target, part, form, ifNoneMatch }: Conditional,
  given: (tag: string | undefined) => Promise<Payload>,
): Promise<Payload> {
  let tag: string | undefined;
  // To the core this is a retrieval of the same part: its checks come first (IA-23), and it is recorded where it is all
  // that the caller gets (IA-30).
  const held = await imaging.reading(target, part, async (core) => {
    tag = tagOfMade(await core.version(target), target, part, form);
    return tag && heldOf(ifNoneMatch, tag);
  });
  if (held) return notModified(held);
  const payload = await given(tag);
  return tag && !imaging.replaced
    ? { ...payload, headers: { etag: `W/${tag}`, ...payload.headers } }
    : payload;
}

export function notModified(etag: string): Payload {
  return { status: 304, headers: { etag }, body: new Uint8Array() };
}
