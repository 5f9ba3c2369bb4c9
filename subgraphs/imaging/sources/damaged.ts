import { Fault } from '../../../schema/fault/fault.ts';
import type { DamagedFile } from '../dicom/part10/bytes.ts';

/** The object is there, but is not what its header promises, or has more than it may. */
export function damaged(cause: DamagedFile): Fault {
  return new Fault('bad_gateway', `The stored object is damaged. ${cause.message}`, {
    ...{ service: 'imaging', cause },
  });
}
