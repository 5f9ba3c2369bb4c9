import { number, text, type DicomJson } from '../../../../schema/dicom/dicom.ts';

/** Minimum milliseconds: browsers slow down faster animations. */
const SHORTEST = 20;
/** Maximum milliseconds: no format can state more. */
const LONGEST = 65_535;
const DEFAULT = 100;

/** Returns the milliseconds of each frame, PS3.3 §C.7.6.5: frame times, or the recommended rates. */
export function frameDelays(instance: DicomJson, frames: number): number[] {
  const vector = (instance['00181065']?.Value ?? []).map(Number);
  const rate = number(instance, '00082144') ?? number(instance, '00180040');
  const single = number(instance, '00181063') ?? (rate ? 1000 / rate : DEFAULT);
  // Each entry of the vector is the time since the frame before it.
  return Array.from({ length: frames }, (_, i) => {
    const delay = vector.length === frames ? vector[(i + 1) % frames] || vector.at(-1)! : single;
    const meant = Number.isFinite(delay) && delay > 0 ? delay : DEFAULT;
    return Math.min(Math.max(SHORTEST, Math.round(meant)), LONGEST);
  });
}

/** Returns the frame that represents all, PS3.3 §C.7.6.6.1.2; otherwise the middle one. */
export function representativeFrame(instance: DicomJson, frames: number): number {
  const named = Number(text(instance, '00286010') ?? NaN);
  return Number.isInteger(named) && named >= 1 && named <= frames ? named : (frames + 1) >> 1;
}
