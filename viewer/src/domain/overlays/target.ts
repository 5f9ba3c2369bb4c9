/** An image on which overlays are drawn: by its name, or by its place in the patient. */
import { number, type Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';
import type { Stack, StackFrame } from '../series/stacks.ts';
import type { FrameId } from '../study.ts';
import type { Vector } from '../space/vectors.ts';
import { nearestPoint, rectangleOf, type Rectangle } from '../volume/reference-lines.ts';

export interface Target {
  id: FrameId;
  /** SOP Instance UID; that of no object for a plane through a volume. */
  instance: string;
  /** From 1. */
  frame: number;
  metadata: Instance;
  /** Undefined for an image without a place in the patient. */
  rectangle: Rectangle | undefined;
  /** Half of the distance to the next image, in millimetres: what is farther from the plane belongs to another image. */
  halfSlice: number;
}

/** Of an image alone that does not say how thick it is. Millimetres. */
const UNKNOWN_HALF_SLICE = 0.5;

/** @param index of the image in the stack */
export function targetOf(stack: Stack, index: number): Target | undefined {
  const image = stack.frames[index];
  if (!image) return undefined;
  const { id, name, metadata } = image;
  return {
    id,
    instance: name.instance,
    frame: name.frame,
    metadata,
    rectangle: rectangleOf(metadata),
    halfSlice: halfSliceOf(stack, index),
  };
}

function halfSliceOf({ frames, reformatted }: Stack, index: number): number {
  if (reformatted?.slab) return reformatted.slab.thickness / 2;
  const distances = [frames[index - 1], frames[index + 1]].flatMap((next) => distance(frames[index]!, next));
  const thickness = number(frames[index]!.metadata, '00180050');
  return distances.length > 0 ? Math.min(...distances) / 2 : thickness ? thickness / 2 : UNKNOWN_HALF_SLICE;
}

/** Returns how far a plane is from that of another image, in millimetres; nothing where that is unknown or 0. */
function distance({ metadata }: StackFrame, other: StackFrame | undefined): number[] {
  const [here, there] = [rectangleOf(metadata), other && rectangleOf(other.metadata)];
  if (!here || !there) return [];
  const { distance: far } = nearestPoint(here, there.position);
  return far > 0 ? [far] : [];
}

/** True if an object refers to the image; without frame numbers it means all its frames. @param frames from 1 */
export function isNamed(
  { instance, frame }: Target,
  named: { instance: string; frames?: readonly number[] },
): boolean {
  return named.instance === instance && (!named.frames?.length || named.frames.includes(frame));
}

/**
 * Returns points of the patient on an image; undefined if it has another frame of reference, or if one of them is farther
 * from its plane than half a slice.
 */
export function pointsOn(
  { rectangle, halfSlice }: Target,
  frameOfReference: string,
  points: readonly Vector[],
): ImagePoint[] | undefined {
  if (!rectangle || rectangle.frameOfReference !== frameOfReference) return undefined;
  const places = points.map((point) => nearestPoint(rectangle, point));
  const isOn = places.every(({ distance: far }) => far <= halfSlice + ROUNDING_MM);
  return isOn ? places.map(({ point }) => point) : undefined;
}

/** Positions are written with two decimals at times; millimetres. */
export const ROUNDING_MM = 0.011;
/** Rounding of a computer, in millimetres: a point on the border of two slices is in the upper one. */
export const EVEN = 1e-6;
