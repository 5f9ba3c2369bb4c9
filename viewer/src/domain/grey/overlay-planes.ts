/** Overlay planes of an image: graphics of one bit, drawn above it (PS3.3 §C.9.2). */
import { number, numbers, text, type Attribute, type Instance } from '../instance.ts';

export interface OverlayPlane {
  /** Number of its group: 0 to 15. */
  group: number;
  rows: number;
  columns: number;
  /** Row and column of the image under its first pixel; from 1, and less if it begins outside. */
  origin: readonly [row: number, column: number];
  label?: string;
  /** Frames of its own; its first is for this frame of the image. From 1. */
  frames: number;
  firstFrame: number;
  data: Attribute;
}

/** Groups 6000, 6002, … 601E */
const GROUPS = 16;

/** Returns the planes that can be drawn. Those in the unused bits of pixels were retired in 2004, and are left out. */
export function overlayPlanesOf(instance: Instance): OverlayPlane[] {
  return Array.from({ length: GROUPS }, (_, group) => planeOf(instance, group)).filter(
    (plane) => plane !== undefined,
  );
}

function planeOf(instance: Instance, group: number): OverlayPlane | undefined {
  const tag = (element: string) => `60${(2 * group).toString(16).padStart(2, '0').toUpperCase()}${element}`;
  const [rows, columns] = [number(instance, tag('0010')), number(instance, tag('0011'))];
  const data = instance[tag('3000')];
  if (!data || !rows || !columns || (number(instance, tag('0100')) ?? 1) !== 1) return undefined;
  const label = text(instance, tag('1500')) ?? text(instance, tag('0022'));
  const [row = 1, column = 1] = numbers(instance, tag('0050'), 2) ?? [];
  return {
    group,
    rows,
    columns,
    origin: [row, column],
    data,
    frames: number(instance, tag('0015')) ?? 1,
    firstFrame: number(instance, tag('0051')) ?? 1,
    label,
  };
}

/**
 * Returns the pixels of a plane for a frame, 1 where it is drawn, by rows; undefined if it has none for this frame.
 * @param bytes value of Overlay Data: one bit a pixel, the low bit first, frame after frame without a gap (PS3.5 §8.1.1)
 * @param frame of the image, from 1
 */
export function overlayPixels(
  { rows, columns, frames, firstFrame }: OverlayPlane,
  bytes: Uint8Array,
  frame: number,
): Uint8Array | undefined {
  // A plane of one frame is for all frames of the image.
  const own = frames === 1 ? 0 : frame - firstFrame;
  const count = rows * columns;
  if (own < 0 || own >= frames || bytes.length * 8 < (own + 1) * count) return undefined;
  const pixels = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    const bit = own * count + at;
    pixels[at] = (bytes[bit >> 3]! >> (bit & 7)) & 1;
  }
  return pixels;
}
