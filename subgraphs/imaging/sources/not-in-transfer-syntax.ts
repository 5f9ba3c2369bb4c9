import { Fault } from '../../../schema/fault/fault.ts';

/** Returns the fault for an object that cannot be transcoded as requested (DW-5). */
export function notInTransferSyntax(): Fault {
  return new Fault(
    'not_acceptable',
    'The object is not available in this transfer syntax. Retrieve it as stored, with transfer-syntax=*.',
  );
}
