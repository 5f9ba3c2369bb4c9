import type { Fault } from './fault.ts';
import { isOfLeft } from './left.ts';

/** The part of a logger that faults need. */
export interface FaultLog {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/**
 * Logs a fault by its cause. Refusals and `not_implemented` are answers: the log line of the request has them already. A
 * failure of another system is one warning with its reason. Only a failure of this server is an error, with its stack. Work
 * that ended because the client has left did not fail.
 */
export function logFault(log: FaultLog, fault: Fault, where: object, message: string): void {
  const { code, cause, status } = fault;
  if (fault.details.isLogged || isOfLeft(fault)) return;
  if (code === 'internal') log.error({ err: cause ?? fault, ...where }, message);
  else if (status >= 500 && code !== 'not_implemented') {
    log.warn(
      { code, service: fault.details.service, reason: reasonOf(cause) ?? fault.message, ...where },
      message,
    );
  }
}

/** Returns the reason of a failure. Connection errors have it in their code, or in the error that caused them. */
function reasonOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  // The message of a parser quotes its input, which may be a patient's record.
  if (cause instanceof SyntaxError) return cause.name;
  const { code, reason } = cause as { code?: unknown; reason?: unknown };
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return `the server at this port does not speak TLS (${code})`;
  // The message of OpenSSL has a pointer and a place in its source.
  if (String(code).startsWith('ERR_SSL_')) return `TLS failed: ${String(reason)} (${String(code)})`;
  return reasonOf(cause.cause) ?? (cause.message || (typeof code === 'string' ? code : cause.name));
}
