import { toFault, type FaultCode } from '../fault/fault.ts';
import { isOfLeft } from '../fault/left.ts';

/**
 * One operation of a core for the audit trail (IA-30). The same request leaves the same record in GraphQL, FHIR and
 * DICOMweb. It holds no credential, name or identifier of a person; ids are logical ids and UIDs.
 */
export interface Operation {
  /** `operation` is a request that reached no core: a GraphQL document that was refused, or a path without a route. */
  action: 'search' | 'read' | 'retrieve' | 'operation';
  /** FHIR resource type; a retrieval of DICOM objects is of `ImagingStudy`. */
  type?: string;
  /** Logical id of the patient whose data were requested, also when the request was refused. */
  patient?: string;
  /** Study Instance UID. */
  study?: string;
  /** Logical id of the resource that was read, or the retrieved part of a study: `series/{uid}/instances/{uid}`. */
  target?: string;
  /** Names of the search parameters; values only where they cannot identify a person. */
  query?: string;
  /** Tool of the Model Context Protocol through which an assistant asked (SM-20). */
  tool?: string;
  /** Number of patients whose data an export or a stream gave: it leaves one record, not one for each of them. */
  patients?: number;
  /** Number of rows that a stream gave. */
  rows?: number;
  /** Tables that a statement of SQL reads; `query` is then the statement, without the values of its parameters. */
  tables?: readonly string[];
  /** A link by which a person shares (IA-36): its id, which does not open it; and the receiver, as they named themselves. */
  share?: { id: string; event: 'made' | 'opened' | 'fetched' | 'revoked'; recipient?: string };
  /** True if the proxy in front of the gateway sends the data: what it sent, and whether, is not known here. */
  isHandedOver?: boolean;
  outcome: Outcome;
}

/**
 * `denied`: a refusal, with the code that the caller got. `failed`: an error here or in a system behind the gateway. `left`: the
 * client has closed the connection before it had its answer.
 */
export type Outcome = { kind: 'allowed' | 'left' } | { kind: 'denied' | 'failed'; code: FaultCode };

/** Records an operation of one request. Never throws, never waits. */
export type RecordOperation = (operation: Operation) => void;

/** An operation with its caller, time and request. */
export interface AuditEvent extends Operation {
  tenant: string;
  /** OAuth client id; undefined when the caller is not known. */
  client?: string;
  /** `fhirUser` or `sub`. */
  user?: string;
  /** X-Request-Id. */
  request: string;
  /** RFC 3339. */
  time: string;
}

export const ALLOWED: Outcome = { kind: 'allowed' };
export const CLIENT_LEFT: Outcome = { kind: 'left' };

/** Returns the outcome of an operation that threw an error. @param hasBegun true when the client has a part of the answer */
export function outcomeOf(error: unknown, { hasBegun = false } = {}): Outcome {
  if (isOfLeft(error)) return CLIENT_LEFT;
  const { code, status } = toFault(error);
  return { kind: status < 500 && !hasBegun ? 'denied' : 'failed', code };
}

/** Parameters whose values are codes or dates, which identify no person. */
const CODED_PARAMETERS = new Set([
  '_lastUpdated',
  '_sort',
  '_count',
  'category',
  'date',
  'modality',
  'started',
  'status',
]);
const CODED_VALUE = /^[A-Za-z0-9:.,|/+-]{1,64}$/;

/**
 * Summarizes a search in one line: `Observation?category=laboratory&subject`. It leaves out values that could identify a
 * person, and names that are no parameter names.
 */
export function querySummary(type: string, parameters: Iterable<readonly [string, string]>): string {
  const parts = new Set<string>();
  for (const [name, value] of parameters) {
    if (!/^[A-Za-z_][\w.:-]{0,63}$/.test(name)) continue;
    parts.add(CODED_PARAMETERS.has(name) && CODED_VALUE.test(value) ? `${name}=${value}` : name);
  }
  return parts.size > 0 ? `${type}?${[...parts].sort().join('&')}` : type;
}
