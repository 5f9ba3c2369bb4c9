import { Fault, toFault } from '../../../schema/fault/fault.ts';
import { connectionEnded } from '../../../schema/outbound/resending.ts';
import { isUnreachable } from '../../../schema/outbound/unreachable.ts';
import { isDiskFull } from '../../../schema/process/disk-full.ts';

/** An export that the EHR does not know any more, or that has failed there. */
export class ExportEnded extends Error {
  override readonly name = 'ExportEnded';
}

/** Returns the fault of an EHR whose answer is no export. @param what it is, for the log */
export function unusable(what: string): Fault {
  const cause = new Error(what);
  return new Fault('bad_gateway', 'The EHR gave an export that cannot be used.', {
    service: 'clinical',
    cause,
  });
}

/** Returns true when the connection failed, or an answer broke off: the same request may succeed. */
export const isCut = (error: unknown): boolean => isUnreachable(error) || connectionEnded(error);

/** Returns true when the EHR is away: the export that it was asked for goes on. */
export const isPassing = (error: unknown): boolean =>
  isCut(error) || (error instanceof Fault && error.code === 'unavailable');

/** Returns what was thrown as a fault. */
export function faultOf(error: unknown): Fault {
  const details = { service: 'clinical' as const, cause: error };
  if (error instanceof ExportEnded) return new Fault('bad_gateway', 'The EHR ended an export.', details);
  if (isCut(error)) return new Fault('unavailable', 'The EHR cannot be reached.', details);
  if (!isDiskFull(error)) return toFault(error);
  const message = 'There is no room on the disk of the server for the data of the EHR.';
  return new Fault('unavailable', message, details);
}

/** Returns the reason of a fault, for the operator. */
export function reasonOf(fault: Fault | undefined): string | undefined {
  const { cause } = fault?.details ?? {};
  return cause instanceof Error && cause.message ? cause.message : fault?.message;
}
