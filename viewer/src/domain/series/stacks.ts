/** Images of a series in the order in which they are read. */
import { isColour } from '../grey/colour.ts';
import { framesOf, type StackFrame } from '../grey/frames.ts';
import {
  nearestOrientation,
  normalOf,
  planeOf,
  SAME_POSITION_MM,
  sameOrientation,
  type Orientation,
  type Plane,
} from '../space/geometry.ts';
import { number, numbers, text, type Instance } from '../instance.ts';
import { dot } from '../space/vectors.ts';

export type { StackFrame } from '../grey/frames.ts';

/** Frames of one size and, where images have a position, one orientation. */
export interface Stack {
  /** Unique in its series. */
  key: string;
  /** The difference from the other stacks of its series; undefined for the only one. */
  by?: { what: What; value: string };
  /** All that distinguishes it from others of its series, where one attribute is not enough. */
  split?: Split;
  frames: readonly StackFrame[];
  /** Millimetres between the centres of neighbouring pixels, of rows and columns; undefined if unknown. */
  spacing?: readonly [number, number];
  /** Set for planes that are computed of a volume: no archive has these images, and nothing may refer to them. */
  reformatted?: Reformatted;
}

/** A plane through a volume, and how thick it is. */
export interface Reformatted {
  plane: Orientation;
  slab?: Slab;
  coarse?: Coarse;
}

/** Slices of a volume that are not there yet: each has the values of the nearest one that is. */
export interface Coarse {
  ready: number;
  all: number;
  /** Indexes of slices, ascending. */
  missing: readonly number[];
}

/** Several slices in one image: of all values in a line through them the greatest (MIP), or the mean. */
export interface Slab {
  mode: 'mip' | 'average';
  /** Millimetres. */
  thickness: number;
}

/** Values by which the stacks of a series were divided. */
export type Split = Readonly<Partial<Record<What, string>>>;

type What = 'kind' | 'size' | 'orientation' | 'stack' | 'echo' | 'diffusion' | 'temporal';

/** Frames on their way to a stack, with what was common to them so far. */
interface Group {
  frames: readonly StackFrame[];
  by: Split;
}

/** From the coarsest: what is named first decides whether images can be shown by one view at all. */
const LEVELS: readonly What[] = ['kind', 'size', 'orientation', 'stack', 'echo', 'diffusion', 'temporal'];

/**
 * Returns the stacks of a series, the one with the most frames first; a series of documents has none. Frames are sorted
 * along the common normal of their stack, beginning at the end with the lower instance numbers, so that "image 87" of a
 * report is the 87th; where positions are missing or repeat themselves, by instance and frame number.
 * @param instances metadata of the series in any order, PS3.18 §10.4.1.1.2; an instance that comes twice counts once
 */
export function stacksOf(name: { study: string; series: string }, instances: readonly Instance[]): Stack[] {
  const unique = new Map(instances.map((instance) => [text(instance, '00080018'), instance]));
  const frames = [...unique.values()].flatMap((instance) => framesOf(name, instance));
  if (frames.length === 0) return [];
  let groups: Group[] = [{ frames: frames.toSorted(byNumber), by: {} }];
  groups = split(groups, 'kind', ({ metadata }) => (isColour(metadata) ? 'colour' : 'grey'));
  groups = split(groups, 'size', sizeOf);
  groups = groups.flatMap(splitOrientations);
  groups = groups.flatMap(splitStackIds);
  groups = groups.flatMap((group) => splitRepeats(group, 'echo', echoTime));
  groups = groups.flatMap((group) => splitRepeats(group, 'diffusion', bValue));
  groups = groups.flatMap((group) => splitRepeats(group, 'temporal', temporalPosition));
  const sorted = groups
    .map((group) => ({ ...group, frames: inReadingOrder(group.frames) }))
    .sort((a, b) => b.frames.length - a.frames.length);
  return toStacks(sorted);
}

/** Splits groups by a value of each frame. */
function split(groups: readonly Group[], what: What, value: (frame: StackFrame) => string): Group[] {
  return groups.flatMap((group) =>
    [...groupBy(group.frames, value)].map(([of, frames]) => ({ frames, by: { ...group.by, [what]: of } })),
  );
}

/** Splits by orientation; frames without a plane are a group of their own. */
function splitOrientations(group: Group): Group[] {
  const found: { plane: Plane | undefined; frames: StackFrame[] }[] = [];
  for (const frame of group.frames) {
    const plane = planeOf(frame.metadata);
    const same = found.find((one) =>
      plane && one.plane ? sameOrientation(plane, one.plane) : plane === one.plane,
    );
    if (same) same.frames.push(frame);
    else found.push({ plane, frames: [frame] });
  }
  const names = numbered(found.map(({ plane }) => (plane ? nearestOrientation(plane) : 'unknown')));
  return found.map(({ frames }, index) => ({ frames, by: { ...group.by, orientation: names[index]! } }));
}

/** Splits by Stack ID (PS3.3 §C.7.6.16.2.2.2) of enhanced objects; not where it names single frames. */
function splitStackIds(group: Group): Group[] {
  const parts = groupBy(group.frames, ({ metadata }) => text(metadata, '00209056'));
  if (parts.size < 2 || parts.has(undefined) || [...parts.values()].some(({ length }) => length < 2))
    return [group];
  return [...parts].map(([id, frames]) => ({ frames, by: { ...group.by, stack: id! } }));
}

/** Splits a group by a value where its positions repeat themselves, and do so no more within one value. */
function splitRepeats(group: Group, what: What, value: (instance: Instance) => number | undefined): Group[] {
  if (!repeats(group.frames)) return [group];
  const parts = groupBy(group.frames, ({ metadata }) => value(metadata));
  const helps = parts.size > 1 && [...parts.values()].some((part) => !repeats(part));
  if (!helps) return [group];
  // Images without a value, such as maps that were computed of the others, are a part of their own, at the end.
  return [...parts]
    .sort(([a = Infinity], [b = Infinity]) => a - b)
    .map(([of, frames]) => ({
      frames,
      by: of === undefined ? group.by : { ...group.by, [what]: String(of) },
    }));
}

/** Returns true if two frames lie in the same place. Frames without a place do not. */
function repeats(frames: readonly StackFrame[]): boolean {
  const places = placesAlongNormal(frames)?.toSorted((a, b) => a - b);
  return places?.some((place, index) => index > 0 && place - places[index - 1]! <= SAME_POSITION_MM) ?? false;
}

/** Returns the places of frames along the normal of the first, in mm; undefined if a frame has no plane. */
function placesAlongNormal(frames: readonly StackFrame[]): number[] | undefined {
  const planes = frames.map(({ metadata }) => planeOf(metadata));
  if (!planes[0] || planes.includes(undefined)) return undefined;
  const normal = normalOf(planes[0]);
  return planes.map((plane) => dot(plane!.position, normal));
}

/** @param frames by instance number */
function inReadingOrder(frames: readonly StackFrame[]): readonly StackFrame[] {
  const places = placesAlongNormal(frames);
  if (!places || repeats(frames)) return frames;
  const sorted = frames
    .map((frame, index) => ({ frame, index }))
    .sort((a, b) => places[a.index]! - places[b.index]!);
  // Positive if frames with higher numbers tend to lie further along the normal.
  const middle = (frames.length - 1) / 2;
  const trend = sorted.reduce((sum, { index }, at) => sum + (at - middle) * (index - middle), 0);
  return (trend < 0 ? sorted.reverse() : sorted).map(({ frame }) => frame);
}

function byNumber(a: StackFrame, b: StackFrame): number {
  const difference = (number(a.metadata, '00200013') ?? 0) - (number(b.metadata, '00200013') ?? 0);
  return difference || a.name.frame - b.name.frame || a.name.instance.localeCompare(b.name.instance);
}

/** Returns the stacks, each with the coarsest attribute that none of the others shares or, where there is none, with all. */
function toStacks(groups: readonly Group[]): Stack[] {
  const differing = (of: readonly Group[]) =>
    LEVELS.filter((what) => new Set(of.map(({ by }) => by[what])).size > 1);
  const told = differing(groups);
  const isUnique = ({ by }: Group, what: What) =>
    by[what] !== undefined && groups.filter((other) => other.by[what] === by[what]).length === 1;
  const chosen = groups.map((group) => {
    const what =
      told.find((one) => isUnique(group, one)) ?? told.findLast((one) => group.by[one] !== undefined);
    return what && { what, value: group.by[what]! };
  });
  const names = numbered(chosen.map((by) => `${by?.what} ${by?.value}`));
  const unclear = groups.filter((group) => !told.some((what) => isUnique(group, what)));
  const needed = differing(unclear);
  return groups.map((group, index): Stack => {
    const by = chosen[index];
    const prefix = `${by?.what} `;
    const spacing = commonSpacing(group.frames);
    const split = needed.filter((what) => group.by[what] !== undefined).map((what) => [what, group.by[what]]);
    return {
      key: group.frames[0]!.id,
      ...(by && { by: { what: by.what, value: names[index]!.slice(prefix.length) } }),
      ...(needed.length > 1 && unclear.includes(group) && { split: Object.fromEntries(split) as Split }),
      frames: group.frames,
      ...(spacing && { spacing }),
    };
  });
}

/** Returns the values; the second of equal ones gets the number 2, and so on. */
function numbered(values: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return values.map((value) => {
    const nth = (seen.get(value) ?? 0) + 1;
    seen.set(value, nth);
    return nth === 1 ? value : `${value} ${nth}`;
  });
}

/** Pixel Spacing of all frames; undefined if one has none or another. That of a detector is not the patient's. */
function commonSpacing(frames: readonly StackFrame[]): readonly [number, number] | undefined {
  const [first, ...others] = frames.map(({ metadata }) => numbers(metadata, '00280030', 2));
  if (!first?.every((millimetres) => millimetres > 0)) return undefined;
  const isSame = (other: number[] | undefined) =>
    other?.every((millimetres, axis) => Math.abs(millimetres / first[axis]! - 1) < 0.001);
  return others.every(isSame) ? [first[0]!, first[1]!] : undefined;
}

/** Columns × rows, as people say it. */
function sizeOf({ metadata }: StackFrame): string {
  return `${number(metadata, '00280011')}×${number(metadata, '00280010')}`;
}

/** Echo Time or, in enhanced MR, Effective Echo Time; milliseconds. */
function echoTime(instance: Instance): number | undefined {
  return number(instance, '00180081') ?? number(instance, '00189082');
}

/** Diffusion b-value, s/mm². */
function bValue(instance: Instance): number | undefined {
  return number(instance, '00189087');
}

/** Temporal Position Identifier, its index and offset in enhanced objects, Trigger Time, Nominal Cardiac Trigger Delay Time. */
const TEMPORAL = ['00200100', '00209128', '0020930D', '00181060', '00209153'];

function temporalPosition(instance: Instance): number | undefined {
  return TEMPORAL.map((tag) => number(instance, tag)).find((value) => value !== undefined);
}

function groupBy<Item, Key>(all: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of all) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
