import type { Fault } from './fault.ts';

/** What is logged to. */
export interface FaultLog {
  error(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/**
 * Logs a fault for what it is. Refusals, and what is not built, are answers: the line of the request tells them. Another
 * system that fails is named in one line with its reason; only our own failure is an error, with its stack.
 */
export function logFault(log: FaultLog, fault: Fault, where: object, message: string): void {
  const { code, cause, status } = fault;
  if (code === 'internal') log.error({ err: cause ?? fault, ...where }, message);
  else if (status >= 500 && code !== 'not_implemented') {
    log.warn({ code, service: fault.details.service, reason: reasonOf(cause), ...where }, message);
  }
}

/** Errors of connections have what happened in their code, or in the error that caused them. */
function reasonOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  // A parser quotes what it could not parse, and that may be anyone's record.
  if (cause instanceof SyntaxError) return cause.name;
  const { code } = cause as { code?: unknown };
  return reasonOf(cause.cause) ?? (cause.message || (typeof code === 'string' ? code : cause.name));
}
