import { Fault } from '../../../schema/fault/fault.ts';

/** Returns the fault for an object that cannot be transcoded as requested (DW-5). */
export function notInTransferSyntax(): Fault {
  return new Fault(
    'not_acceptable',
    'The object cannot be had in this transfer syntax; ask for it as it is stored.',
  );
}
