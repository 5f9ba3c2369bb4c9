import { Fault } from '../../../schema/fault/fault.ts';
import {
  isAwayStatus,
  isTimeout,
  isUnreachable,
  RETRY_SECONDS,
  retrySeconds,
} from '../../../schema/outbound/unreachable.ts';

const LATE = 'The clinical record did not answer in time.';

/** Returns the fault of a request without an answer; the reason of the signal when the request was aborted here. */
export function failed(cause: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const details = { service: 'clinical', cause } as const;
  const message = isTimeout(cause) ? LATE : 'The clinical record cannot be reached.';
  return isUnreachable(cause)
    ? new Fault('unavailable', message, { ...details, retryAfter: RETRY_SECONDS })
    : new Fault('bad_gateway', message, details);
}

/** Returns the fault of a server that answers neither a request nor a probe. */
export function silentServer(cause: Error): Fault {
  const details = { service: 'clinical', retryAfter: RETRY_SECONDS, cause } as const;
  return new Fault('unavailable', LATE, details);
}

/** Returns the fault for an error status of the FHIR server. */
export function refused(status: number, retryAfter: string | string[] | undefined): Fault {
  const details = { service: 'clinical', cause: `HTTP ${status} from the FHIR server` } as const;
  if (status === 401)
    return new Fault('invalid_token', 'The clinical record does not accept the token.', details);
  if (status === 403) return new Fault('forbidden', 'The clinical record refuses the request.', details);
  const after = { ...details, retryAfter: retrySeconds(retryAfter) };
  if (status === 429) {
    return new Fault(
      'too_many_requests',
      'The clinical record receives too many requests. Try again later.',
      after,
    );
  }
  if (isAwayStatus(status)) {
    return new Fault(
      'unavailable',
      'The clinical record is not available at the moment. Try again later.',
      after,
    );
  }
  if (status === 414 || status === 431) {
    return new Fault(
      'uri_too_long',
      'The search is too long for the clinical record: ask for less.',
      details,
    );
  }
  if (status === 400 || status === 422) {
    return new Fault('invalid_request', 'The clinical record cannot answer this search.', details);
  }
  return new Fault('bad_gateway', 'The clinical record failed to answer.', details);
}

/** Returns the fault of an answer that cannot be used. */
export function unreadable(why: string, cause?: unknown): Fault {
  return new Fault('bad_gateway', `The clinical record cannot be read: ${why}.`, {
    service: 'clinical',
    cause,
  });
}

/** Returns the fault of an answer that has too many bytes or values. */
export function tooLong(cause?: unknown): Fault {
  return unreadable(
    'an answer is too long. Ask for smaller pages with _count, or search more narrowly',
    cause,
  );
}

/** Returns the fault of a list whose rest the server does not give. The number of matches may count others' resources. */
export function incomplete(type: string): Fault {
  return new Fault(
    'too_large',
    `The clinical record has more ${type} resources than it returns, and no pages of them. Search more narrowly, by date for example, or ask for fewer with _count.`,
    { service: 'clinical' },
  );
}

/** Returns the fault of a search to which a parameter could not be applied. */
export function notAppliedFault(type: string, names: readonly string[]): Fault {
  return new Fault(
    'unsupported_parameter',
    `The clinical record does not apply ${names.join(', ')} to a search of ${type}. Search without.`,
    { service: 'clinical' },
  );
}
