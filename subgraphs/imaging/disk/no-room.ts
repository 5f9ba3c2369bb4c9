import { Fault } from '../../../schema/fault/fault.ts';
import { isDiskFull } from '../../../schema/process/disk-full.ts';

/** Returns the fault (503) for a disk without room for an object that must be stored before it is sent. */
export function noRoom(cause: unknown): Fault {
  return new Fault(
    'unavailable',
    'This server has no disk space for the objects of the image archive. Try again later.',
    { service: 'imaging', retryAfter: 60, cause },
  );
}

/** Returns an error of writing, converted to a fault if its cause is a full disk. */
export function unlessNoRoom(error: unknown): unknown {
  return isDiskFull(error) ? noRoom(error) : error;
}
