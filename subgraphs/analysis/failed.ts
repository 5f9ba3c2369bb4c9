import { Fault, type FaultCode } from '../../schema/fault/fault.ts';
import { faultOf, SENTENCES } from './sql/finding.ts';

/** A failure in a thread, as plain data: an error would lose its members on the way. */
export interface Failed {
  failed: { message: string; code?: FaultCode | undefined; retryAfter?: number | undefined };
}

/** Returns a failure as plain data. */
export function failedBy(error: unknown): Failed {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Fault)) return { failed: { message } };
  return { failed: { message, code: error.code, retryAfter: error.details.retryAfter } };
}

/** Returns the fault of tables whose files cannot be opened. A failure that is one already stays. */
export function unopened(cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  return faultOf({ kind: 'unavailable', message: SENTENCES.tables }, cause);
}

export const isFailed = (answer: unknown): answer is Failed =>
  typeof answer === 'object' && answer !== null && 'failed' in answer;

/** Returns the error of a failure: a Fault where it was one. */
export function errorOf({ failed: { message, code, retryAfter } }: Failed): Error {
  return code === undefined ? new Error(message) : new Fault(code, message, { retryAfter });
}
