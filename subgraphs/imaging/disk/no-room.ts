import { Fault } from '../../../schema/fault/fault.ts';

/** What the system says of a disk, a quota or a file that takes no more. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The answer where there is no room on disk for what has to lie there to be given (503): room comes again. */
export function noRoom(cause: unknown): Fault {
  return new Fault('unavailable', 'There is no room here for what the image archive sends.', {
    ...{ service: 'imaging', retryAfter: 60, cause },
  });
}

/** An error of writing; where it is for want of room, as the fault that says so. */
export function unlessNoRoom(error: unknown): unknown {
  return FULL.has(String((error as NodeJS.ErrnoException).code)) ? noRoom(error) : error;
}
