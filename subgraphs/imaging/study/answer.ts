import type { Readable } from 'node:stream';
import type { Fault } from '../../../schema/fault/fault.ts';
import { heldTag, tagOf } from '../../../schema/http/entity-tag.ts';
import { BUILD_ID } from '../dicom/build-id.ts';
import type { Target } from '../sources/source.ts';
import type { Study, Version } from './study.ts';

/** Answers that APIs make of what they read: bodies, entity tags with If-None-Match (RFC 9110 §13.1.2), warnings. */

/** An answer. Its first bytes arrived without error, so its status is final. */
export interface Payload {
  status?: number;
  headers: Record<string, string>;
  body: Readable | Uint8Array;
}

/** Returns a warning for each source that did not answer while others did (DW-18, DW-27). */
export function warningsOf(unanswered: readonly Fault[]): string[] {
  return unanswered.map(({ message, details }) =>
    details.service === 'clinical' ? message : `A source of images did not answer: ${message}`,
  );
}

/**
 * Returns the entity tag of an answer that is made from instances.
 * @param made everything else that the answer depends on
 * @returns undefined if the source cannot tell one version of the instances from another
 */
export function answerTag(
  { source, patient, stamp }: Version,
  ...made: readonly unknown[]
): string | undefined {
  return stamp === undefined ? undefined : tagOf(JSON.stringify([BUILD_ID, source, patient, stamp, ...made]));
}

export interface Conditional {
  target: Target;
  /** The part, as audit records name it. */
  part: string;
  /** Everything else that the answer depends on. */
  form: readonly unknown[];
  /** The header If-None-Match. */
  ifNoneMatch: string | undefined;
  /** True if `given` sets the entity tag. The version is then only asked for to compare it with `ifNoneMatch`. */
  isTagged?: boolean;
}

/**
 * Answers 304 if the caller already has the target; this is decided before anything is opened. Otherwise returns the
 * payload with its tag. The tag is weak, because multipart boundaries are random, unless `given` sets a strong one.
 * @param given makes the payload from the tag without its `W/`
 */
export async function notModifiedOr(
  study: Pick<Study, 'version' | 'usedCopy'>,
  { target, part, form, ifNoneMatch, isTagged = false }: Conditional,
  given: (tag: string | undefined) => Promise<Payload>,
): Promise<Payload> {
  if (isTagged && ifNoneMatch === undefined) return given(undefined);
  const tag = answerTag(await study.version(target), target, part, form);
  const held = tag && heldTag(ifNoneMatch, tag);
  if (held) return notModified(held);
  return tagged(await given(tag), study, tag);
}

/** Returns the payload with a weak entity tag, unless it has one, or a copy has replaced the tagged source. */
export function tagged(
  payload: Payload,
  { usedCopy }: Pick<Study, 'usedCopy'>,
  tag: string | undefined,
): Payload {
  return tag && !usedCopy ? { ...payload, headers: { etag: `W/${tag}`, ...payload.headers } } : payload;
}

/** Returns a 304 answer with its entity tag. */
export function notModified(etag: string): Payload {
  return { status: 304, headers: { etag }, body: new Uint8Array() };
}
