import { Fault, toFault, type FaultDetails } from '../../../schema/fault/fault.ts';
import type { ActiveToken } from './introspect.ts';

type Caller = NonNullable<FaultDetails['caller']>;

/** Returns the caller of a token. */
export function callerOf({ client_id: client, fhirUser, sub }: ActiveToken): Caller {
  const user = fhirUser ?? sub;
  return { client, user };
}

/** Returns what was thrown as a fault that names its caller to the audit: there is no Access yet that does (IA-30). */
export function namingCaller(error: unknown, caller: Caller): Fault {
  const { code, message, details } = toFault(error);
  return new Fault(code, message, { ...details, caller });
}
