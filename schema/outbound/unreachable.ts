/** Seconds after which a client may ask again for a service that could not be reached. */
export const RETRY_SECONDS = 5;

/** Codes of Node and undici for a peer that does not answer in time. */
const TIMED_OUT: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

/** Codes for a peer to which no connection can be made. */
const REFUSED: ReadonlySet<string> = new Set([
  'ERR_PROXY_AWAY',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Codes for a peer that refuses or ends the connection or is not found, and for a lack of sockets here. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  ...TIMED_OUT,
  ...REFUSED,
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
]);

/** Statuses of a server, or of a proxy in front of it, that is temporarily unavailable (RFC 9110 §15.6). */
const AWAY_STATUSES: ReadonlySet<number> = new Set([502, 503, 504]);

/** Returns true when a request failed because its answer did not come in time. */
export function isTimeout(error: unknown): boolean {
  return TIMED_OUT.has(codeOf(error)) || (error as Error | undefined)?.name === 'TimeoutError';
}

/** Returns true when a request failed because no connection could be made. */
export function isRefused(error: unknown): boolean {
  return REFUSED.has(codeOf(error));
}

/** Returns true when a request failed because the service is temporarily unreachable: a later request may succeed. */
export function isUnreachable(error: unknown): boolean {
  return UNREACHABLE.has(codeOf(error)) || isTimeout(error);
}

/** Returns true when a status says that the service is temporarily unavailable. */
export function isAwayStatus(status: number): boolean {
  return AWAY_STATUSES.has(status);
}

/**
 * Returns the seconds after which to ask again.
 * @param retryAfter of the service; a date is not read (RFC 9110 §10.2.3)
 */
export function retrySeconds(retryAfter: string | string[] | undefined): number {
  const seconds = Number(retryAfter ?? NaN);
  return Number.isFinite(seconds) ? seconds : RETRY_SECONDS;
}

/** Returns the error code; `fetch` has it in the cause of its error. */
function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } };
  return String(code ?? cause?.code ?? '');
}
