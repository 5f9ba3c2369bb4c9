/** A measurement of a person on an image. */
import { planeOf, type ImagePoint, type Vector } from '../space/geometry.ts';
import { numbers, type Instance } from '../instance.ts';
import { patientPoint } from '../volume/reference-lines.ts';
import type { FrameId } from '../study.ts';
import type { Kind } from './kinds.ts';
import type { Size } from './sizes.ts';
import type { Values } from './values.ts';

export interface Measurement {
  id: string;
  kind: Kind;
  frame: FrameId;
  points: readonly ImagePoint[];
  /** The points in the patient's coordinate system (mm); undefined where the image has no position. */
  patientPoints: readonly Vector[] | undefined;
  size: Size | undefined;
  /** Of the pixels, read while the image was on the glass; `none` says why there are none. */
  values: Values | undefined;
  /** The note of an arrow. */
  note?: string;
  /** The place of its image: number of the series, key of the stack in it, and number of the image from 1. */
  place: { series: string | undefined; stack: string; image: number };
}

/** Returns points in the patient's coordinate system (PS3.3 §C.7.6.2.1.1); undefined without position or spacing. */
export function patientPointsOf(points: readonly ImagePoint[], metadata: Instance): Vector[] | undefined {
  const plane = planeOf(metadata);
  const spacing = numbers(metadata, '00280030', 2);
  if (!plane || !spacing) return undefined;
  const [down, across] = spacing as [number, number];
  return points.map((point) => patientPoint({ ...plane, spacing: [across, down] }, point));
}
