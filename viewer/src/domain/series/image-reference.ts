/** Images that a text or a document names, found among those of a series. */
import { number } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import type { Stack, StackFrame } from './stacks.ts';

export interface ImageReference {
  /** Study Instance UID. */
  study: string;
  /** Series Instance UID; the study as a whole without it. */
  series?: string;
  /** Instance Numbers, the first and the last. */
  images?: readonly [from: number, to: number];
  /** SOP Instance UID. */
  instance?: string;
  /** Numbers of frames in each image, from 1. */
  frames?: readonly [from: number, to: number];
  /** The place on the image that is meant. */
  point?: ImagePoint | undefined;
}

export interface Place {
  stack: Stack;
  /** In the stack, from 0. */
  index: number;
}

const within = (value: number | undefined, [from, to]: readonly [number, number]): boolean =>
  value !== undefined && value >= from && value <= to;

/** Returns true if a reference names this frame. It never does by its place in the stack: only by what the image says. */
export function names(
  { study, series, images, instance, frames }: ImageReference,
  { name, metadata }: StackFrame,
): boolean {
  if (name.study !== study || name.series !== series) return false;
  if (images === undefined && instance === undefined) return false;
  return (
    (images === undefined || within(number(metadata, '00200013'), images)) &&
    (instance === undefined || instance === name.instance) &&
    (frames === undefined || within(name.frame, frames))
  );
}

/** Returns where the first image is that is meant; undefined if none is. */
export function placeWhere(
  stacks: readonly Stack[],
  isMeant: (frame: StackFrame) => boolean,
): Place | undefined {
  for (const stack of stacks) {
    const index = stack.frames.findIndex(isMeant);
    if (index >= 0) return { stack, index };
  }
  return undefined;
}

/** Returns where the first image is that a reference names; undefined if none of the series is meant. */
export function placeOf(reference: ImageReference, stacks: readonly Stack[]): Place | undefined {
  return placeWhere(stacks, (frame) => names(reference, frame));
}
