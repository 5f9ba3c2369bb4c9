/** Lines of the texts on an image. Numbers have a point in every language, as scanners write them. */
import type { SlicePlace } from '../../domain/space/image-facts.ts';
import type { Suv } from '../../domain/grey/suv.ts';
import { m } from '../../messages/compiled/messages.js';
import { suvGapWords } from '../controls/suv-words.ts';

const short = (value: number): string => String(Math.round(value * 100) / 100);

/** `F 45.3 mm · 5 mm thick`: where the slice is, and how thick. */
export function sliceWords({ position, thickness }: SlicePlace): string[] {
  const words = [
    ...(position ? [`${position.side} ${Math.abs(position.mm).toFixed(1)} mm`] : []),
    ...(thickness === undefined ? [] : [m.sliceThickness({ thickness: short(thickness) })]),
  ];
  return words.length > 0 ? [words.join(' · ')] : [];
}

/** `TE 90 ms TR 4000 ms` */
export function echoWords({ echo, repetition }: { echo?: number; repetition?: number }): string[] {
  const words = [
    ...(echo === undefined ? [] : [`TE ${short(echo)}`]),
    ...(repetition === undefined ? [] : [`TR ${short(repetition)}`]),
  ];
  return words.length > 0 ? [`${words.join(' ')} ms`] : [];
}

/** `W 400 L 40`; of a PET also its SUV, or why there is none. */
export function windowWords(
  window: { centre: number; width: number } | undefined,
  suv: Suv | undefined,
): string[] {
  if (!window) return [];
  const words = `W ${Math.round(window.width)} L ${Math.round(window.centre)}`;
  if (!suv) return [words];
  if (suv.factor === undefined) return [words, suvGapWords(suv.gap)];
  // PS3.3 §C.11.2.1.2: the value at which the image is white.
  const most = (window.centre - 0.5 + (window.width - 1) / 2) * suv.factor;
  const least = (window.centre - 0.5 - (window.width - 1) / 2) * suv.factor;
  return [words, m.suvWindow({ least: least.toFixed(1), most: most.toFixed(1) })];
}
