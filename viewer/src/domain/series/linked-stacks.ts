/**
 * Two stacks that scroll together: by position in the patient where their geometry allows it, otherwise by number. Each
 * image has a place on a scale that both stacks share: millimetres along the common normal, or the part of the stack that
 * comes before the image, from 0 to 1.
 */
import { dot, normalOf, planeOf, type Plane, type Vector } from '../space/geometry.ts';
import { number, numbers, text, type Instance } from '../instance.ts';
import type { Stack } from './stacks.ts';

/** Why two stacks have no common positions. */
export type LinkGap = 'no-position' | 'other-plane' | 'other-frame';

export interface Link {
  by: 'position' | 'number';
  /** Why it is by number. */
  gap?: LinkGap;
  /** Of the images of each stack, in their order. */
  places: readonly [readonly number[], readonly number[]];
}

/** Planes of one Frame of Reference (PS3.3 §C.7.4.1) share their coordinates: a tilt of the gantry does not matter. */
const TILT_WITHIN_FRAME_DEGREES = 30;
/** Of two examinations the patient lies differently; tilted more, they show different things. */
const TILT_DEGREES = 12;
/** So much of the shorter stack lies in the range of the longer one: otherwise the two scanners count from elsewhere. */
const OVERLAP = 0.5;
/** Places that differ by less are the same, as part of the distance to the next image. */
const SAME_PART = 0.01;

/** Returns how two stacks scroll together. */
export function linkOf(a: Stack, b: Stack): Link {
  const positions = positionsOf(a, b);
  if (typeof positions !== 'string') return { by: 'position', places: positions };
  const backwards = runAgainstEachOther(a, b);
  const second = partsOf(b);
  return {
    by: 'number',
    gap: positions,
    places: [partsOf(a), backwards ? second.map((part) => 1 - part) : second],
  };
}

/** Returns the image of the nearest place, from 0; of two that are as near, the first. */
function nearestIndex(places: readonly number[], place: number): number {
  let nearest = 0;
  for (const [index, one] of places.entries())
    if (Math.abs(one - place) < Math.abs(places[nearest]! - place)) nearest = index;
  return nearest;
}

/**
 * Returns the image of the other stack that belongs to an image.
 * @param from which stack the image is of
 * @param offset place in the second stack minus place in the first
 */
export function linkedIndex(
  { places }: Link,
  from: 0 | 1,
  { index, offset }: { index: number; offset: number },
): number {
  const place = places[from][index] ?? 0;
  return nearestIndex(places[from === 0 ? 1 : 0], from === 0 ? place + offset : place - offset);
}

/** Returns the offset at which two images belong together; 0 if they are as near as the images of their stacks allow. */
export function offsetBetween(link: Link, first: number, second: number): number {
  if (linkedIndex(link, 0, { index: first, offset: 0 }) === second) return 0;
  if (linkedIndex(link, 1, { index: second, offset: 0 }) === first) return 0;
  return (link.places[1][second] ?? 0) - (link.places[0][first] ?? 0);
}

/** True if a stack ends before the place that belongs to an image of the other: the image shown there is only the nearest. */
export function isBeyond(
  { places }: Link,
  from: 0 | 1,
  { index, offset }: { index: number; offset: number },
): boolean {
  const other = places[from === 0 ? 1 : 0];
  const place = (places[from][index] ?? 0) + (from === 0 ? offset : -offset);
  const [low, high] = rangeOf(other);
  // Half of the distance between two images, as for the images within.
  const half = other.length > 1 ? (high - low) / (other.length - 1) / 2 : 0;
  return place < low - half * (1 + SAME_PART) || place > high + half * (1 + SAME_PART);
}

/** Returns the places along the common normal, or why there are none that mean the same. */
function positionsOf(a: Stack, b: Stack): [number[], number[]] | LinkGap {
  const [planes, others] = [planesOf(a), planesOf(b)];
  if (!planes || !others) return 'no-position';
  const normal = normalOf(planes[0]!);
  const frames = [a, b].map(({ frames: [first] }) => text(first!.metadata, '00200052'));
  const isSameFrame = frames[0] !== undefined && frames[0] === frames[1];
  const tilt = isSameFrame ? TILT_WITHIN_FRAME_DEGREES : TILT_DEGREES;
  // Slices that follow each other in the opposite direction are as parallel.
  if (Math.abs(dot(normal, normalOf(others[0]!))) < Math.cos((tilt * Math.PI) / 180)) return 'other-plane';
  const places: [number[], number[]] = [placesOf(planes, normal), placesOf(others, normal)];
  if (!places.every(isStack)) return 'no-position';
  return isSameFrame || overlap(...places) >= OVERLAP ? places : 'other-frame';
}

/** Returns the planes of all images, each at the middle of its image; undefined if one has none. */
function planesOf({ frames }: Stack): Plane[] | undefined {
  const planes = frames.map(({ metadata }) => {
    const plane = planeOf(metadata);
    return plane && { ...plane, position: middleOf(plane, metadata) };
  });
  return planes.length === 0 || planes.includes(undefined) ? undefined : (planes as Plane[]);
}

/** Of tilted images the corners are far from the places of their middles. Without a size, the corner has to do. */
function middleOf({ position, row, column }: Plane, metadata: Instance): Vector {
  const [down, right] = numbers(metadata, '00280030', 2) ?? [0, 0];
  const across = (((number(metadata, '00280011') ?? 1) - 1) / 2) * right!;
  const along = (((number(metadata, '00280010') ?? 1) - 1) / 2) * down!;
  const at = (axis: 0 | 1 | 2) => position[axis] + row[axis] * across + column[axis] * along;
  return [at(0), at(1), at(2)];
}

function placesOf(planes: readonly Plane[], normal: Vector): number[] {
  return planes.map(({ position }) => dot(position, normal));
}

/** False for the images of a film: all lie in one place, which does not say how to go through them. */
function isStack(places: readonly number[]): boolean {
  const [low, high] = rangeOf(places);
  return places.length === 1 || high - low > 0;
}

/** Returns the part of the shorter range that lies in the longer one, from 0 to 1. */
function overlap(a: readonly number[], b: readonly number[]): number {
  const [[lowA, highA], [lowB, highB]] = [rangeOf(a), rangeOf(b)];
  const shorter = Math.min(highA - lowA, highB - lowB);
  const common = Math.min(highA, highB) - Math.max(lowA, lowB);
  if (shorter === 0) return common >= 0 ? 1 : 0;
  return Math.max(common, 0) / shorter;
}

function rangeOf(places: readonly number[]): [low: number, high: number] {
  return [Math.min(...places), Math.max(...places)];
}

/** Returns the part of the stack before each image. */
function partsOf({ frames }: Stack): number[] {
  return frames.map((_, index) => (frames.length > 1 ? index / (frames.length - 1) : 0.5));
}

/** True if one stack goes up in the patient, and the other one down. */
function runAgainstEachOther(a: Stack, b: Stack): boolean {
  const [first, second] = [wayOf(a), wayOf(b)];
  if (!first || !second) return false;
  // Nearer to a line than to a right angle.
  return dot(first, second) < -Math.SQRT1_2 * Math.hypot(...first) * Math.hypot(...second);
}

/** Returns the way from the first image to the last one; undefined if it is unknown. */
function wayOf(stack: Stack): Vector | undefined {
  const planes = planesOf(stack);
  if (!planes) return undefined;
  const [from, to] = [planes[0]!.position, planes.at(-1)!.position];
  return [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
}
