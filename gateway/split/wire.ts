import { Fault, isFaultCode, type FaultDetails } from '../../schema/fault/fault.ts';

/** Headers and faults between the processes of a split gateway. */

/** Header with the sealed Access of a request. */
export const SEALED_ACCESS = 'x-sealed-access';
/** Header with the id of the work for one request of a client, of which a call is a part. */
export const WORK = 'x-work';
/** Header of an answer that refuses the sealed Access itself. */
export const SEAL_REFUSED = 'x-seal-refused';

/** Header of a request whose caller wants to know the calls to sources (FG-28). */
export const EXPLAINS = 'x-explains';
/** Header of an answer whose request the subgraph records. */
export const RECORDS = 'x-records';

/** A fault as JSON. Its cause stays in the process that logs it. */
export interface WireFault {
  code: string;
  message: string;
  details: Omit<FaultDetails, 'cause'>;
}

export function toWire({ code, message, details }: Fault): WireFault {
  const { cause: _, ...rest } = details;
  return { code, message, details: rest };
}

export function fromWire({ code, message, details }: WireFault): Fault {
  return new Fault(isFaultCode(code) ? code : 'internal', message, details);
}
