import { Fault } from '../../../schema/fault/fault.ts';
import type { DamagedFile } from '../dicom/part10/bytes.ts';

/** Returns the fault for an object that does not match its header, or exceeds its limits. */
export function damaged(cause: DamagedFile): Fault {
  return new Fault('bad_gateway', `The stored object is damaged. ${cause.message}`, {
    service: 'imaging',
    cause,
  });
}
