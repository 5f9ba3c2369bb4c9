/** The pixels of a segmentation on an image: on its own planes as they are stored, on others the nearest ones. */
import { dot, minus, type Vector } from '../space/vectors.ts';
import type { Rectangle } from '../volume/reference-lines.ts';
import { sameOrientation } from '../space/geometry.ts';
import { gridToGrid, isParallel, moved, normalOf, slopeOf, type Grid } from './affine.ts';
import type { Matrix, Part, Shape } from './overlay.ts';
import { ringsOf, type Mask } from './rings.ts';
import { EVEN, isNamed, ROUNDING_MM, type Target } from './target.ts';

/** The form in which the pixels of all frames are stored. */
export interface Layout {
  kind: 'BINARY' | 'FRACTIONAL' | 'LABELMAP';
  rows: number;
  columns: number;
  /** Frames. */
  count: number;
  /** Bits of a pixel. */
  bits: number;
  /** Full opacity, of FRACTIONAL. */
  most: number;
}

/** An image, or some of its frames (from 1; empty: all), from which a segment was drawn. */
export interface Source {
  /** SOP Instance UID. */
  instance: string;
  frames: readonly number[];
}

export interface Frame {
  /** From 0, in Pixel Data. */
  index: number;
  /** Id of its part; undefined for all, in a label map. */
  segment: string | undefined;
  /** Undefined where it states no place: then only its sources say where it is. */
  grid: Grid | undefined;
  /** Of its slice, and between the centres of slices; millimetres. */
  thickness: number | undefined;
  distance: number | undefined;
  sources: readonly Source[];
}

interface Parts {
  layout: Layout;
  frames: readonly Frame[];
  /** Pixel Data. */
  bytes: Uint8Array;
  frameOfReference: string | undefined;
}

/** A frame with its place from the first, in millimetres: along the normal, along rows, and along columns. */
interface Slice {
  frame: Frame;
  height: number;
  left: number;
  top: number;
}

interface Stacked {
  grid: Grid;
  normal: Vector;
  /** Half of the distance of slices, millimetres; undefined where there is one, and it has no thickness. */
  half: number | undefined;
  slices: readonly Slice[];
}

/** From its corner. */
const AS_STORED: Matrix = [1, 0, 0, 1, -0.5, -0.5];
/** A gap between slices that is larger by this factor than their thickness is one of frames that were left out. */
const LEFT_OUT = 1.5;
/** Spacings that differ by a smaller part are the same. */
const SAME_SPACING = 0.001;

export class SegmentMasks {
  readonly #of: Parts;
  /** Undefined where frames have no place, or lie in several directions. */
  readonly #stacked: Stacked | undefined;

  constructor(of: Parts) {
    this.#of = of;
    this.#stacked = stackedOf(of.frames);
  }

  shapesOn(target: Target, part: Part): Shape[] {
    const { rectangle } = target;
    const stacked = this.#stacked;
    const frameOfReference = this.#of.frameOfReference ?? rectangle?.frameOfReference;
    if (!stacked || !rectangle || rectangle.frameOfReference !== frameOfReference)
      return this.#onSources(target, part);
    const isOwn = ({ frame }: Slice) => (frame.segment ?? part.id) === part.id;
    const own = { ...stacked, slices: stacked.slices.filter(isOwn) };
    return isParallel(stacked.normal, normalOf(rectangle))
      ? this.#onPlane(own, { ...target, rectangle }, part)
      : this.#across(own, rectangle, part);
  }

  /** The slice of the segmentation in which the image lies, whatever grid of pixels either has. */
  #onPlane(
    { normal, half, slices, grid }: Stacked,
    target: Target & { rectangle: Rectangle },
    part: Part,
  ): Shape[] {
    const { rectangle, halfSlice } = target;
    const height = dot(minus(rectangle.position, grid.position), normal);
    const slice = nearest(slices, height, (half ?? halfSlice) + ROUNDING_MM);
    if (!slice) return [];
    // Tiles of one plane; or one place at several times, of which the image says which one it is.
    const near = slices.filter((one) => Math.abs(one.height - slice.height) <= ROUNDING_MM);
    const named = near.filter(({ frame }) => frame.sources.some((source) => isNamed(target, source)));
    const own = named.length > 0 ? named : repeatsPlace(near) ? [] : near;
    return own.flatMap(({ frame }) =>
      this.#shapes(this.#mask(frame, part), gridToGrid(frame.grid!, rectangle)),
    );
  }

  /** The frames that were drawn from an image, where it or they name no place. */
  #onSources(target: Target, part: Part): Shape[] {
    const { layout, frames } = this.#of;
    const [rows, columns] = [target.metadata['00280010'], target.metadata['00280011']];
    if (rows?.Value?.[0] !== layout.rows || columns?.Value?.[0] !== layout.columns) return [];
    const isHere = ({ segment, sources }: Frame) =>
      (segment ?? part.id) === part.id && sources.some((source) => isNamed(target, source));
    const { rectangle } = target;
    return frames.filter(isHere).flatMap((frame) => {
      const { grid } = frame;
      if (!grid || !rectangle) return this.#shapes(this.#mask(frame, part), undefined);
      if (!isParallel(normalOf(grid), normalOf(rectangle))) return [];
      return this.#shapes(this.#mask(frame, part), gridToGrid(grid, rectangle));
    });
  }

  /** The nearest pixel of the segmentation at each pixel of an image that cuts its slices. */
  #across({ grid, normal, half, slices }: Stacked, image: Rectangle, part: Part): Shape[] {
    // Nobody knows which of several times it would be.
    if (repeatsPlace(slices)) return [];
    const { layout } = this.#of;
    const mask = {
      columns: image.columns,
      rows: image.rows,
      values: new Uint8Array(image.columns * image.rows),
    };
    const column = slopeOf(image, grid.position, grid.row);
    const row = slopeOf(image, grid.position, grid.column);
    const height = slopeOf(image, grid.position, normal);
    const reach = half ?? 0.5;
    const valueAt = this.#reader(part);
    const [perColumn, perRow] = [1 / grid.spacing[0], 1 / grid.spacing[1]];
    // Mostly the rows of an image stay in a slice.
    const isTilted = Math.abs(height.right) * image.columns > ROUNDING_MM;
    for (let y = 0; y < image.rows; y++) {
      let slice = nearest(slices, height.start + y * height.down, reach);
      for (let x = 0; x < image.columns && (slice || isTilted); x++) {
        if (isTilted) slice = nearest(slices, height.start + x * height.right + y * height.down, reach);
        if (!slice) continue;
        const left = column.start + x * column.right + y * column.down - slice.left;
        const top = row.start + x * row.right + y * row.down - slice.top;
        const [i, j] = [Math.round(left * perColumn), Math.round(top * perRow)];
        if (i < 0 || j < 0 || i >= layout.columns || j >= layout.rows) continue;
        mask.values[y * image.columns + x] = valueAt(
          (slice.frame.index * layout.rows + j) * layout.columns + i,
        );
      }
    }
    return this.#shapes(mask, undefined);
  }

  /** @param matrix from the grid of the mask to that of the image, centres to centres; undefined for the same */
  #shapes(mask: Mask, matrix: Matrix | undefined): Shape[] {
    if (this.#of.layout.kind === 'FRACTIONAL') {
      const { values, ...size } = mask;
      if (values.every((value) => value === 0)) return [];
      return [{ kind: 'mask', ...size, opacities: values, matrix: matrix ? fromCorner(matrix) : AS_STORED }];
    }
    const rings = ringsOf(mask);
    if (rings.length === 0) return [];
    return [{ kind: 'area', rings: matrix ? rings.map((ring) => moved(matrix, ring)) : rings }];
  }

  #mask({ index }: Frame, part: Part): Mask {
    const { bytes, layout } = this.#of;
    const { rows, columns } = layout;
    const valueAt = this.#reader(part);
    const first = index * rows * columns;
    const values = new Uint8Array(rows * columns);
    for (let at = 0; at < values.length; at++) {
      // Of bits, whole bytes are empty as a rule.
      const isByte = layout.bits === 1 && ((first + at) & 7) === 0;
      if (isByte && bytes[(first + at) >> 3] === 0) at += 7;
      else values[at] = valueAt(first + at);
    }
    return { rows, columns, values };
  }

  /** Returns what reads the opacity of a pixel, 0 to 255. @param part counts in label maps, whose frames have all */
  #reader({ id }: Part): (at: number) => number {
    const { bytes, layout } = this.#of;
    const own = Number(id);
    switch (layout.kind) {
      // Frames run on without padding: one may begin within a byte (PS3.5 §8.1.1).
      case 'BINARY':
        return (at) => ((bytes[at >> 3]! >> (at & 7)) & 1) * 255;
      case 'FRACTIONAL':
        return (at) => Math.min(255, Math.round((255 * bytes[at]!) / layout.most));
      case 'LABELMAP':
        return layout.bits === 8
          ? (at) => (bytes[at] === own ? 255 : 0)
          : (at) => ((bytes[2 * at]! | (bytes[2 * at + 1]! << 8)) === own ? 255 : 0);
    }
  }
}

/** True if two frames have one place: such as those of several times. @param slices by height */
function repeatsPlace(slices: readonly Slice[]): boolean {
  return slices.some((one, at) => {
    for (let before = at - 1; before >= 0; before--) {
      const other = slices[before]!;
      if (one.height - other.height > ROUNDING_MM) return false;
      if (Math.hypot(one.left - other.left, one.top - other.top) <= ROUNDING_MM) return true;
    }
    return false;
  });
}

/** A point 0/0 is the centre of a pixel in the image, and the corner of the first in a picture. */
function fromCorner([a, b, c, d, e, f]: Matrix): Matrix {
  return [a, b, c, d, e - (a + c) / 2, f - (b + d) / 2];
}

function stackedOf(frames: readonly Frame[]): Stacked | undefined {
  const grid = frames[0]?.grid;
  if (!grid) return undefined;
  const normal = normalOf(grid);
  const isSame = (other: Grid | undefined) =>
    other !== undefined &&
    sameOrientation(grid, other) &&
    [0, 1].every((axis) => Math.abs(grid.spacing[axis]! / other.spacing[axis]! - 1) < SAME_SPACING);
  if (!frames.every((frame) => isSame(frame.grid))) return undefined;
  const slices = frames
    .map((frame): Slice => {
      const from = minus(frame.grid!.position, grid.position);
      return { frame, height: dot(from, normal), left: dot(from, grid.row), top: dot(from, grid.column) };
    })
    .sort((a, b) => a.height - b.height);
  return { grid, normal, half: halfOf(slices), slices };
}

/** Frames that are empty are left out: a gap says how far slices are apart only if it is about as large as they are thick. */
function halfOf(slices: readonly Slice[]): number | undefined {
  const { distance, thickness } = slices[0]!.frame;
  const gaps = slices.flatMap(({ height }, at) => (at > 0 ? [height - slices[at - 1]!.height] : []));
  const gap = Math.min(...gaps.filter((one) => one > ROUNDING_MM));
  const isNext = Number.isFinite(gap) && (thickness === undefined || gap <= LEFT_OUT * thickness);
  const whole = distance ?? (isNext ? gap : thickness);
  return whole === undefined ? undefined : whole / 2;
}

/** Returns the slice in which a height is: from `reach` below its middle to before as much above. @param slices by height */
function nearest(slices: readonly Slice[], height: number, reach: number): Slice | undefined {
  let [low, high] = [0, slices.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (slices[middle]!.height < height) low = middle + 1;
    else high = middle;
  }
  const over = (slice: Slice) => height - slice.height;
  const [one, other] = [slices[low - 1], slices[low]]
    .filter((slice) => slice !== undefined)
    .filter((slice) => over(slice) >= -reach - EVEN && over(slice) < reach - EVEN);
  return one && other && Math.abs(over(other)) < Math.abs(over(one)) ? other : one;
}
