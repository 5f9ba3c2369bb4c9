/** The size of a pixel. */
import { items } from '../../../../schema/dicom/dicom.ts';
import { number, numbers, text, type Instance } from '../instance.ts';
import type { ImagePoint } from '../space/geometry.ts';

export interface Scale {
  /** Of `across` and `down`: millimetres of the patient, millimetres at the detector of a projection, or pixels. */
  unit: 'mm' | 'detector-mm' | 'pixel';
  /** From one column to the next. */
  across: number;
  /** From one row to the next. */
  down: number;
}

const PIXELS: Scale = { unit: 'pixel', across: 1, down: 1 };
/** Spacings that differ by less are the same number, written twice. */
const SAME = 1e-4;

/**
 * Returns the scale at some points of an image. Pixel Spacing counts; a projection that has only the spacing at its
 * detector, or the same number twice without a calibration, is measured there and not in the patient (PS3.3 §10.7.1.3).
 * Ultrasound has regions (PS3.3 §C.8.5.5): all points have to be in one that has centimetres both ways.
 */
export function scaleOf(metadata: Instance, points: readonly ImagePoint[]): Scale {
  const regions = items(metadata, '00186011');
  if (regions.length > 0) return scaleOfRegions(regions, points);
  const spacing = positive(numbers(metadata, '00280030', 2));
  const detector = positive(numbers(metadata, '00181164', 2));
  const isCalibrated = text(metadata, '00280A02') !== undefined;
  const isSame =
    spacing && detector && spacing.every((size, at) => Math.abs(size / detector[at]! - 1) < SAME);
  if (spacing && (isCalibrated || !isSame)) return { unit: 'mm', across: spacing[1], down: spacing[0] };
  if (detector) return { unit: 'detector-mm', across: detector[1], down: detector[0] };
  return PIXELS;
}

/** Returns width and height of a pixel in any unit, for angles: known also where only the form of the pixels is. */
export function shapeOf(metadata: Instance, points: readonly ImagePoint[]): Pick<Scale, 'across' | 'down'> {
  const scale = scaleOf(metadata, points);
  const aspect = positive(numbers(metadata, '00280034', 2));
  return scale.unit === 'pixel' && aspect ? { across: aspect[1], down: aspect[0] } : scale;
}

function positive(pair: number[] | undefined): readonly [number, number] | undefined {
  return pair?.every((size) => size > 0) ? [pair[0]!, pair[1]!] : undefined;
}

const CENTIMETRES = 3;

/** Several regions may hold the points; where they differ in scale, none counts. */
function scaleOfRegions(regions: readonly Instance[], points: readonly ImagePoint[]): Scale {
  const scales = regions.filter((region) => points.every((point) => isIn(region, point))).map(scaleOfRegion);
  const [first, ...others] = scales;
  const isOne = others.every((one) => one && first && one.across === first.across && one.down === first.down);
  return (isOne && first) || PIXELS;
}

function isIn(region: Instance, [column, row]: ImagePoint): boolean {
  const [left, top, right, bottom] = ['00186018', '0018601A', '0018601C', '0018601E'].map((tag) =>
    number(region, tag),
  );
  if (left === undefined || top === undefined || right === undefined || bottom === undefined) return false;
  // A pixel reaches half a pixel beyond its centre.
  return column >= left - 0.5 && column <= right + 0.5 && row >= top - 0.5 && row <= bottom + 0.5;
}

function scaleOfRegion(region: Instance): Scale | undefined {
  const isInCentimetres = ['00186024', '00186026'].every((tag) => number(region, tag) === CENTIMETRES);
  const [across, down] = ['0018602C', '0018602E'].map((tag) => Math.abs(number(region, tag) ?? 0));
  return isInCentimetres && across! > 0 && down! > 0
    ? { unit: 'mm', across: across! * 10, down: down! * 10 }
    : undefined;
}
