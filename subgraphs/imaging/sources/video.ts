import { Fault } from '../../../schema/fault/fault.ts';

/** Cause of the refusal of frames: the pixels are one stream of video. */
export class VideoStream extends Error {}

/** Refuses frames of a video, which is given as a whole: as rendered, or as bulk data (DW-28). */
export function framesOfVideo(): Fault {
  const message = 'This is a video: its frames are not given one by one. Ask for rendered of the instance.';
  return new Fault('not_acceptable', message, { cause: new VideoStream() });
}
