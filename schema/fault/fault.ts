import type { OperationOutcome, OperationOutcomeIssue } from 'fhir/r4.js';
import { CACHE_CONTROL } from '../http/cache-control.ts';
import { operationOutcome } from '../fhir/fhir.ts';

/**
 * All causes of failure, and how each API reports them. The set is closed: a new cause is a new row. `error` is the OAuth
 * error of the bearer challenge, if any (RFC 6750 §3.1); `issue` is the FHIR issue type.
 */
const FAULTS = {
  invalid_request: { status: 400, issue: 'invalid', error: 'invalid_request' },
  unsupported_parameter: { status: 400, issue: 'not-supported' },
  unauthenticated: { status: 401, issue: 'login' },
  invalid_token: { status: 401, issue: 'login', error: 'invalid_token' },
  insufficient_scope: { status: 403, issue: 'forbidden', error: 'insufficient_scope' },
  forbidden: { status: 403, issue: 'forbidden' },
  cross_site: { status: 403, issue: 'forbidden' },
  not_found: { status: 404, issue: 'not-found' },
  method_not_allowed: { status: 405, issue: 'not-supported' },
  not_acceptable: { status: 406, issue: 'not-supported' },
  gone: { status: 410, issue: 'deleted' },
  too_large: { status: 413, issue: 'too-costly' },
  uri_too_long: { status: 414, issue: 'too-long' },
  unsupported_media_type: { status: 415, issue: 'not-supported' },
  range_not_satisfiable: { status: 416, issue: 'invalid' },
  unprocessable: { status: 422, issue: 'processing' },
  too_many_requests: { status: 429, issue: 'throttled' },
  internal: { status: 500, issue: 'exception' },
  not_implemented: { status: 501, issue: 'not-supported' },
  bad_gateway: { status: 502, issue: 'transient' },
  unavailable: { status: 503, issue: 'transient' },
  gateway_timeout: { status: 504, issue: 'timeout' },
} as const satisfies Record<string, { status: number; issue: OperationOutcomeIssue['code']; error?: string }>;

export type FaultCode = keyof typeof FAULTS;

/** Returns the HTTP status of a code. */
export const statusOf = (code: FaultCode): number => FAULTS[code].status;

/** Returns true for a code of a fault, such as the one in the `extensions` of a GraphQL error. */
export function isFaultCode(code: unknown): code is FaultCode {
  return typeof code === 'string' && Object.hasOwn(FAULTS, code);
}

export interface FaultDetails {
  /** A sufficient scope (RFC 6750 §3, `insufficient_scope`). */
  scope?: string;
  /** Seconds after which the client may repeat the identical request (RFC 9110 §10.2.3). */
  retryAfter?: number;
  /** Methods that the path answers (RFC 9110 §10.2.1). */
  allow?: string;
  /** Size in bytes of an object that does not have the requested range (RFC 9110 §14.4). */
  size?: number;
  /** True when the credentials were malformed: the answer then has a bearer challenge (RFC 6750 §3.1). */
  credentials?: boolean;
  /** True when the bearer challenge has the message too, because it says more than the code (RFC 6750 §3). */
  isExplained?: boolean;
  /** System behind the gateway that failed. */
  service?: 'imaging' | 'clinical' | 'authorization';
  /** True when the failure is in the log already, as one line for all requests that meet it. */
  isLogged?: boolean;
  /** The caller who was refused, for the audit. It is not in the answer. */
  caller?: { client?: string; user?: string };
  cause?: unknown;
}

/**
 * The only error type. `message` is for the caller: it says what is wrong and what to do, and never has a token, a name,
 * an identifier or an internal host in it (SM-14). Details for the operator go into `cause`.
 */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly details: FaultDetails;

  constructor(code: FaultCode, message: string, details: FaultDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Fault';
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return statusOf(this.code);
  }
}

/** Converts anything thrown to a Fault. Any other error becomes `internal`, and its text is hidden from the caller. */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error;
  // Refusals of Fastify (body too large, malformed JSON, wrong media type) keep their status. Other errors do not: their
  // text may name a host or a patient.
  const { statusCode, code: origin } = (error ?? {}) as { statusCode?: number; code?: unknown };
  const known = typeof origin === 'string' && origin.startsWith('FST_') && statusCode! < 500;
  const code = (Object.keys(FAULTS) as FaultCode[]).find((code) => FAULTS[code].status === statusCode);
  return code && known
    ? new Fault(code, (error as Error).message, { cause: error })
    : new Fault('internal', 'The server failed to answer. Nothing was changed; try again.', { cause: error });
}

/** Renders a fault as a FHIR OperationOutcome (R4 §2.36). */
export function faultOutcome(fault: Fault): OperationOutcome {
  return operationOutcome('error', FAULTS[fault.code].issue, fault.message);
}

/** Renders a fault as the JSON body of a DICOMweb or plain answer. */
export function faultJson(fault: Fault): { error: FaultCode; message: string } {
  return { error: fault.code, message: fault.message };
}

/**
 * Renders a fault that refuses a whole request of the Model Context Protocol, as a JSON-RPC 2.0 error (§5.1). The request
 * was not run, so its id is not repeated.
 */
export function faultJsonRpc(fault: Fault): object {
  const { code, message } = fault;
  return { jsonrpc: '2.0', id: null, error: { code: INVALID_REQUEST, message, data: { code } } };
}

/** The code of JSON-RPC 2.0 for a request that cannot be run as it is. */
const INVALID_REQUEST = -32600;

/**
 * Renders a fault as an OAuth error answer (RFC 6749 §5.2). Errors that the client cannot correct have the codes of
 * §4.1.2.1; what is not implemented has a code of our own (§8.5).
 */
export function faultOauth(fault: Fault): { error: string; error_description: string } {
  const { error } = FAULTS[fault.code] as { error?: string };
  return { error: error ?? oauthError(fault.status), error_description: descriptionOf(fault) };
}

/** Returns the message with the characters that `error_description` may have (RFC 6749 §5.2, RFC 6750 §3). */
const descriptionOf = ({ message }: Fault) => message.replace(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, "'");

function oauthError(status: number): string {
  if (status === 403) return 'access_denied';
  if (status === 429 || status > 501) return 'temporarily_unavailable';
  if (status === 501) return 'not_implemented';
  return status < 500 ? 'invalid_request' : 'server_error';
}

/** Returns the `extensions` of a GraphQL error: the fault code, the HTTP status, the service that failed (FG-10). */
export function faultExtensions(fault: Fault): Record<string, unknown> {
  const { scope, retryAfter, service } = fault.details;
  return {
    code: fault.code,
    status: fault.status,
    ...(scope && { scope }),
    retryAfter: retryAfter === undefined ? undefined : wholeSeconds(retryAfter),
    ...(service && { service }),
  };
}

const wholeSeconds = (retryAfter: number): number => Math.max(1, Math.ceil(retryAfter));

/**
 * Returns the Fault that a GraphQL error was written of. Errors of a document, with codes of GraphQL, are `invalid_request`,
 * and their cause is the error.
 */
export function faultOfGraphql(error: { message: string; extensions?: Record<string, unknown> }): Fault {
  const { code, ...details } = error.extensions ?? {};
  const isFault = typeof code === 'string' && Object.hasOwn(FAULTS, code);
  return isFault
    ? new Fault(code as FaultCode, error.message, details)
    : new Fault('invalid_request', error.message, { cause: error });
}

/**
 * Returns the response headers of a fault: `WWW-Authenticate` (RFC 6750 §3, with `resource_metadata` of RFC 9728 §5.1),
 * `Retry-After`, `Allow`, `Content-Range`, `Cache-Control`.
 * @param realm the tenant's public base
 * @param resourceMetadata URL of the protected resource metadata, if any
 */
export function faultHeaders(fault: Fault, realm: string, resourceMetadata?: string): Record<string, string> {
  const { scope, retryAfter, allow, size, credentials, isExplained } = fault.details;
  const headers: Record<string, string> = { 'cache-control': CACHE_CONTROL.noStore };
  // Who is refused for the token learns how to get another (SM-12).
  if (fault.status === 401 || fault.code === 'insufficient_scope' || credentials) {
    const { error } = FAULTS[fault.code] as { error?: string };
    headers['www-authenticate'] = [
      `Bearer realm="${realm}"`,
      error && `error="${error}"`,
      isExplained && `error_description="${descriptionOf(fault)}"`,
      scope && `scope="${scope}"`,
      resourceMetadata && `resource_metadata="${resourceMetadata}"`,
    ]
      .filter(Boolean)
      .join(', ');
  }
  if (retryAfter !== undefined) headers['retry-after'] = String(wholeSeconds(retryAfter));
  if (allow) headers['allow'] = allow;
  if (size !== undefined) headers['content-range'] = `bytes */${size}`;
  return headers;
}
