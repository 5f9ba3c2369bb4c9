/** Facts that are written on an image besides its name and its window. */
import { positive, text, type Instance } from '../instance.ts';
import { imagePosition } from './orientation.ts';

/** Millimetres. */
export interface SlicePlace {
  position?: ReturnType<typeof imagePosition>;
  thickness?: number;
}

/** Returns where a slice is. Slices of one stack differ by it, so it is measured as the stack is sorted. */
export function slicePlace(metadata: Instance): SlicePlace {
  const position = imagePosition(metadata);
  const thickness = positive(metadata, '00180050');
  return { ...(position && { position }), thickness };
}

/** Milliseconds of an MR; of enhanced objects from the functional groups (PS3.3 §C.8.13.5). */
export function echoAndRepetition(metadata: Instance): { echo?: number; repetition?: number } {
  if (text(metadata, '00080060') !== 'MR') return {};
  const echo = positive(metadata, '00180081') ?? positive(metadata, '00189082');
  const repetition = positive(metadata, '00180080');
  return { echo, repetition };
}

/** Returns the time of acquisition as `09:32`; undefined if the image has none. */
export function acquisitionTime(metadata: Instance): string | undefined {
  const time = text(metadata, '00080032') ?? text(metadata, '0008002A')?.slice(8) ?? '';
  const [, hours, minutes] = /^(\d\d):?(\d\d)/.exec(time.trim()) ?? [];
  return hours && `${hours}:${minutes}`;
}
