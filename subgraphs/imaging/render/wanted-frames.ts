import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import type { MediaRange } from '../../../schema/http/media-ranges.ts';
import type { PixelDescription } from '../dicom/pixel-description.ts';
import type { PictureType } from './image/encode.ts';
import { representativeFrame } from './image/timing.ts';
import { negotiated } from './rendering-parameters.ts';

/** The frames of an object that make its picture, and the limit of its pixels. */

export const STILL: readonly PictureType[] = ['image/jpeg', 'image/png', 'image/webp', 'image/gif'];
const MOVING: readonly PictureType[] = ['image/gif', 'image/webp'];

/** Maximum pixels of one picture, stored and given, and of all frames of an animation. */
const MAX_PIXELS = 2 ** 26;
const MAX_MOVING_PIXELS = 2 ** 25;
const MAX_FRAMES = 10_000;

/** Returns the frames of a picture and its media type. @throws Fault `not_acceptable`, `too_large` */
export function wantedFrames(
  dataset: DicomJson,
  { rows, columns, numberOfFrames }: PixelDescription,
  { frames, accept }: { frames?: readonly number[] | undefined; accept: readonly MediaRange[] },
): { numbers: readonly number[]; type: PictureType } {
  if (frames && frames.length > 1) return { numbers: frames, type: negotiated(accept, MOVING) };
  const type = negotiated(accept, STILL);
  if (frames) return { numbers: frames, type };
  if (numberOfFrames > 1 && MOVING.includes(type)) {
    refuseTooMany(rows * columns, numberOfFrames);
    return { numbers: Array.from({ length: numberOfFrames }, (_, i) => i + 1), type };
  }
  return { numbers: [representativeFrame(dataset, numberOfFrames)], type };
}

/** Checks the pixels of a picture. @throws Fault `too_large` for more than one picture may have */
export function refuseTooMany(pixels: number, frames: number): void {
  if (
    pixels <= MAX_PIXELS &&
    (frames === 1 || (frames <= MAX_FRAMES && pixels * frames <= MAX_MOVING_PIXELS))
  )
    return;
  const advice =
    frames > 1 ? 'ask for fewer frames, one of them, or a smaller viewport' : 'retrieve its frames';
  throw tooLarge(advice);
}

/** Refuses a picture. @param advice what the client can do instead */
export function tooLarge(advice: string): Fault {
  return new Fault('too_large', `The picture is too large to be rendered here: ${advice}.`);
}
