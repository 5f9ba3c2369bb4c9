/** Seconds after which a service that could not be reached is worth asking again. */
export const RETRY_SECONDS = 5;

/** Codes of Node and undici for a peer that does not answer in time. */
const TIMED_OUT: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

/** For one that refuses, ends the connection or is not found, and for our own lack of sockets. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  ...TIMED_OUT,
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
]);

/** Statuses of a proxy whose server is away, and of a server that is (RFC 9110 §15.6). */
const AWAY_STATUSES: ReadonlySet<number> = new Set([502, 503, 504]);

/** Whether a request failed because its answer did not come in time. */
export function isTimeout(error: unknown): boolean {
  return TIMED_OUT.has(codeOf(error)) || (error as Error | undefined)?.name === 'TimeoutError';
}

/** Whether a request failed because the service is away for now: asking again later may help. */
export function isUnreachable(error: unknown): boolean {
  return UNREACHABLE.has(codeOf(error)) || isTimeout(error);
}

/** Whether a status says that the service is away for now. */
export function isAwayStatus(status: number): boolean {
  return AWAY_STATUSES.has(status);
}

/**
 * Seconds after which to ask again.
 * @param retryAfter the service's own Retry-After; its form as a date is not read (RFC 9110 §10.2.3)
 */
export function retrySeconds(retryAfter: string | string[] | undefined): number {
  const seconds = Number(retryAfter ?? NaN);
  return Number.isFinite(seconds) ? seconds : RETRY_SECONDS;
}

/** `fetch` tells the code in the cause of its own error. */
function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } };
  return String(code ?? cause?.code ?? '');
}
