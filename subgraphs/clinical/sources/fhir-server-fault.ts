import { Fault } from '../../../schema/fault.ts';

/** Why no answer came; the reason of the signal where it was we who gave up. */
export function failed(cause: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const { code } = cause as { code?: string };
  return code === 'UND_ERR_HEADERS_TIMEOUT' ||
    code === 'UND_ERR_BODY_TIMEOUT' ||
    code === 'UND_ERR_CONNECT_TIMEOUT'
    ? new Fault('gateway_timeout', 'The clinical record did not answer in time.', {
        service: 'clinical',
        cause,
      })
    : new Fault('bad_gateway', 'The clinical record cannot be reached.', { service: 'clinical', cause });
}

/** What a status of the FHIR server means for our caller. */
export function refused(status: number, retryAfter: string | string[] | undefined): Fault {
  const details = { service: 'clinical', cause: `HTTP ${status} from the FHIR server` } as const;
  if (status === 401)
    return new Fault('invalid_token', 'The clinical record does not accept the token.', details);
  if (status === 403) return new Fault('forbidden', 'The clinical record refuses the request.', details);
  const seconds = Number(retryAfter ?? NaN);
  const after = Number.isFinite(seconds) ? { retryAfter: seconds } : {};
  if (status === 429) {
    return new Fault('too_many_requests', 'The clinical record is asked too often.', {
      ...details,
      ...after,
    });
  }
  if (status === 503) {
    return new Fault('unavailable', 'The clinical record is not available now.', { ...details, ...after });
  }
  if (status === 400 || status === 422) {
    return new Fault('invalid_request', 'The clinical record cannot answer this search.', details);
  }
  return new Fault('bad_gateway', 'The clinical record failed to answer.', details);
}

/** An answer that is not what was asked for. */
export function unreadable(why: string, cause?: unknown): Fault {
  return new Fault('bad_gateway', `The clinical record cannot be read: ${why}.`, {
    service: 'clinical',
    cause,
  });
}
