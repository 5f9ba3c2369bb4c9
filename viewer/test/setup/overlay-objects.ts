/** Segmentations, structure sets and the images under them, as metadata; and what shapes cover, computed in another way. */
import type { Attribute, Instance } from '../../src/domain/instance.ts';
import type { Shape } from '../../src/domain/overlays/overlay.ts';
import { targetOf, type Target } from '../../src/domain/overlays/target.ts';
import type { Stack } from '../../src/domain/series/stacks.ts';
import { vectorOf, type Vector } from '../../src/domain/space/vectors.ts';
import { frameId } from '../../src/domain/study.ts';

export type Point = Vector;

export const of = (vr: string, ...Value: unknown[]): Attribute => ({ vr, Value });
export const items = (...Value: Instance[]): Attribute => of('SQ', ...Value);

export const FRAME_OF_REFERENCE = '1.2.3';
export const HELEN: Instance = {
  '00100010': of('PN', { Alphabetic: 'CASTELLANOS^HELEN^MARIE' }),
  '00100020': of('LO', 'MRN-0004711'),
  '00100030': of('DA', '19720501'),
};

export const AXIAL = [1, 0, 0, 0, 1, 0] as const;
export const SAGITTAL = [0, 1, 0, 0, 0, -1] as const;

/** Where planes of pixels are. Spacings in millimetres: of rows, of columns, and from plane to plane. */
export interface Placed {
  origin: Point;
  orientation: readonly number[];
  rows: number;
  columns: number;
  count: number;
  spacing: readonly [row: number, column: number, through: number];
}

/** Returns the position of the first pixel of a plane. */
function positionOf({ origin, orientation, spacing }: Placed, index: number): Point {
  const [a, b, c, d, e, f] = orientation as [number, number, number, number, number, number];
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d];
  return vectorOf([0, 1, 2].map((axis) => origin[axis]! + index * spacing[2] * normal[axis]!));
}

/** Returns the point of the patient at a pixel of an image, from its metadata. */
function pointAt(metadata: Instance, column: number, row: number): Point {
  const values = (tag: string) => (metadata[tag]?.Value ?? []).map(Number);
  const [position, orientation, spacing] = [values('00200032'), values('00200037'), values('00280030')];
  return vectorOf(
    [0, 1, 2].map(
      (axis) =>
        position[axis]! +
        column * spacing[1]! * orientation[axis]! +
        row * spacing[0]! * orientation[axis + 3]!,
    ),
  );
}

/** Returns a stack of images without pixels. */
export function imagesAt(placed: Placed, more: Instance = {}): Stack {
  const { rows, columns, spacing, orientation } = placed;
  const frames = Array.from({ length: placed.count }, (_, index) => {
    const name = { study: '1.2.20', series: '1.2.20.1', instance: `1.2.20.1.${index + 1}`, frame: 1 };
    const metadata = {
      ...HELEN,
      '00080018': of('UI', name.instance),
      '00200013': of('IS', index + 1),
      '00200032': of('DS', ...positionOf(placed, index)),
      '00200037': of('DS', ...orientation),
      '00200052': of('UI', FRAME_OF_REFERENCE),
      '00280004': of('CS', 'MONOCHROME2'),
      '00280010': of('US', rows),
      '00280011': of('US', columns),
      '00280030': of('DS', spacing[0], spacing[1]),
      '00280100': of('US', 16),
      ...more,
    };
    return { id: frameId(name), name, metadata, bytes: 2 * rows * columns };
  });
  return { key: 'all', frames, spacing: [spacing[0], spacing[1]] };
}

export function targetsOf(stack: Stack): Target[] {
  return stack.frames.map((_, index) => targetOf(stack, index)!);
}

export interface Written {
  kind?: string;
  bits?: number;
  rows?: number;
  columns?: number;
  segments?: readonly Instance[];
  frames: readonly Instance[];
  more?: Instance;
}

export const segment = (number: number, more: Instance = {}): Instance => ({
  '00620004': of('US', number),
  '00620005': of('LO', `part ${number}`),
  ...more,
});

/** A frame of a segment at a position. */
export const frame = (position: Point, of1 = 1, more: Instance = {}): Instance => ({
  '00209113': items({ '00200032': of('DS', ...position) }),
  '0062000A': items({ '0062000B': of('US', of1) }),
  ...more,
});

/** Returns the metadata of a segmentation, axial with pixels of 1 mm if nothing else is said. */
export function segmentation({
  kind = 'BINARY',
  bits = 1,
  rows = 5,
  columns = 5,
  ...more
}: Written): Instance {
  return {
    ...HELEN,
    '00080016': of('UI', '1.2.840.10008.5.1.4.1.1.66.4'),
    '00080018': of('UI', '1.2.20.8.1'),
    '00080023': of('DA', '20261014'),
    '00200052': of('UI', FRAME_OF_REFERENCE),
    '00280008': of('IS', more.frames.length),
    '00280010': of('US', rows),
    '00280011': of('US', columns),
    '00280100': of('US', bits),
    '00620001': of('CS', kind),
    '00620002': items(...(more.segments ?? [segment(1)])),
    '00700081': of('LO', 'Organs'),
    '00700084': of('PN', { Alphabetic: 'Okafor^Ngozi' }),
    '52009229': items(planeGroups(AXIAL, [1, 1])),
    '52009230': items(...more.frames),
    ...more.more,
  };
}

/** @param thickness of a slice, if it is stated */
export function planeGroups(
  orientation: readonly number[],
  spacing: readonly [number, number],
  thickness?: number,
): Instance {
  return {
    '00209116': items({ '00200037': of('DS', ...orientation) }),
    '00289110': items({
      '00280030': of('DS', ...spacing),
      ...(thickness !== undefined && { '00180050': of('DS', thickness) }),
    }),
  };
}

/** Returns a segmentation of what is inside, with its pixels: a frame for each plane that has some. */
export function segmented(placed: Placed, inside: (point: Point) => boolean) {
  const { rows, columns, orientation, spacing } = placed;
  const bits: number[] = [];
  const frames: Instance[] = [];
  for (const { metadata } of imagesAt(placed).frames) {
    const own = Array.from({ length: rows * columns }, (_, at) =>
      inside(pointAt(metadata, at % columns, Math.floor(at / columns))) ? 1 : 0,
    );
    if (!own.includes(1)) continue;
    bits.push(...own);
    frames.push(frame(pointAt(metadata, 0, 0)));
  }
  const more = { '52009229': items(planeGroups(orientation, [spacing[0], spacing[1]])) };
  return { instance: segmentation({ rows, columns, frames, more }), pixels: packed(bits) };
}

/** Bits of all frames, the low bit first, without padding between frames. */
export function packed(bits: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, at) => (bytes[at >> 3]! |= bit << (at & 7)));
  return bytes;
}

export interface WrittenRegion {
  number: number;
  name?: string;
  frameOfReference?: string;
  colour?: readonly [number, number, number];
  contours: readonly { type?: string; points: readonly Point[] }[];
}

export function structureSet(regions: readonly WrittenRegion[], more: Instance = {}): Instance {
  return {
    ...HELEN,
    '00080016': of('UI', '1.2.840.10008.5.1.4.1.1.481.3'),
    '00080018': of('UI', '1.2.20.9.1'),
    '30060002': of('SH', 'Plan 1'),
    '30060008': of('DA', '20261015'),
    '30060020': items(
      ...regions.map(({ number, name = `region ${number}`, frameOfReference = FRAME_OF_REFERENCE }) => ({
        '30060022': of('IS', number),
        '30060024': of('UI', frameOfReference),
        '30060026': of('LO', name),
      })),
    ),
    '30060039': items(
      ...regions.map(({ number, colour, contours }) => ({
        '30060084': of('IS', number),
        ...(colour && { '3006002A': of('IS', ...colour) }),
        '30060040': items(
          ...contours.map(({ type = 'CLOSED_PLANAR', points }) => ({
            '30060042': of('CS', type),
            '30060046': of('IS', points.length),
            '30060050': of('DS', ...points.flat()),
          })),
        ),
      })),
    ),
    ...more,
  };
}

/** Returns a circle in an axial plane. */
export function circle([x, y, z]: Point, radius: number, points = 180): Point[] {
  return Array.from({ length: points }, (_, at): Point => {
    const angle = (2 * Math.PI * at) / points;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle), z];
  });
}

/** Returns the pixels whose centres areas cover, by rows: within an odd number of rings, counted for each pixel. */
export function covered(shapes: readonly Shape[], { metadata }: Target): boolean[] {
  const size = (tag: string) => Number(metadata[tag]!.Value![0]);
  const [columns, rows] = [size('00280011'), size('00280010')];
  const edges = shapes.flatMap((shape) =>
    shape.kind === 'area'
      ? shape.rings.flatMap((ring) =>
          ring.map((point, at) => [point, ring[(at + 1) % ring.length]!] as const),
        )
      : [],
  );
  return Array.from({ length: rows }, (_, y) => {
    const crossings = edges
      .filter(([[, from], [, to]]) => from <= y !== to <= y)
      .map(([[a, b], [c, d]]) => a + ((y - b) / (d - b)) * (c - a));
    return Array.from({ length: columns }, (__, x) => crossings.filter((one) => one > x).length % 2 === 1);
  }).flat();
}

/** Returns the pixels of an image that are inside, computed for the centre of each. */
export function truth({ metadata }: Target, inside: (point: Point) => boolean): boolean[] {
  const size = (tag: string) => Number(metadata[tag]!.Value![0]);
  const [columns, rows] = [size('00280011'), size('00280010')];
  return Array.from({ length: columns * rows }, (_, at) =>
    inside(pointAt(metadata, at % columns, Math.floor(at / columns))),
  );
}

/** Dice coefficient: 1 for equal ones, and for two that are empty. */
export function dice(one: readonly boolean[], other: readonly boolean[]): number {
  const count = (all: readonly boolean[]) => all.filter(Boolean).length;
  const both = one.filter((value, at) => value && other[at]).length;
  const sum = count(one) + count(other);
  return sum === 0 ? 1 : (2 * both) / sum;
}
