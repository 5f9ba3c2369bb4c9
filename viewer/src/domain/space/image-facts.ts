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

/**
 * Returns when an image was acquired, as DICOM writes it and as `09:32`: of a frame its own time (PS3.3 §C.7.6.16.2.2), else
 * that of the image. Without a time of acquisition the date is that of the series, or of the study.
 */
export function acquired(metadata: Instance): { date?: string | undefined; time?: string | undefined } {
  const [frame, whole] = ['00189074', '0008002A'].map((tag) => text(metadata, tag)?.trim());
  if (frame) return { date: frame.slice(0, 8), time: hoursOf(frame.slice(8)) };
  const own = text(metadata, '00080022');
  const date = own ?? whole?.slice(0, 8) ?? text(metadata, '00080021') ?? text(metadata, '00080020');
  const ofWhole = whole?.startsWith(own ?? '') ? whole.slice(8) : undefined;
  return { date, time: hoursOf(text(metadata, '00080032') ?? ofWhole) };
}

/** Hours and minutes; older images write colons between. */
function hoursOf(time: string | undefined): string | undefined {
  const [, hours, minutes] = /^(\d\d):?(\d\d)/.exec(time?.trim() ?? '') ?? [];
  return hours && `${hours}:${minutes}`;
}
