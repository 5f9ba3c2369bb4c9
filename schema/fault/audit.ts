import { toFault, type FaultCode } from './fault.ts';

/**
 * What a core was asked for, whichever face asked (IA-30): the same request leaves the same record in GraphQL, FHIR and
 * DICOMweb. Nothing in it is a credential, a name, or an identifier of anyone; ids are logical ids and UIDs.
 */
export interface Operation {
  /** `operation` is a request that reached no core: a GraphQL document that was refused, or a path that has nothing. */
  action: 'search' | 'read' | 'retrieve' | 'operation';
  /** FHIR resource type; a retrieval of DICOM objects is of `ImagingStudy`. */
  type?: string;
  /** Logical id of the patient whose data it was, or who was asked for and refused. */
  patient?: string;
  /** Study Instance UID. */
  study?: string;
  /** Logical id of what was read, or what of a study was retrieved: `series/{uid}/instances/{uid}`. */
  target?: string;
  /** Names of the search parameters; values only of those that can name nobody. */
  query?: string;
  outcome: Outcome;
}

/** Refusals are `denied`, with the code that the caller got; what broke, here or behind us, is `failed`. */
export type Outcome = { kind: 'allowed' } | { kind: 'denied' | 'failed'; code: FaultCode };

/** Where the cores of one request record what they were asked for. Never throws, never waits. */
export type RecordOperation = (operation: Operation) => void;

/** An operation with who asked for it, when, and in which request. */
export interface AuditEvent extends Operation {
  tenant: string;
  /** OAuth client id; undefined where nobody was established. */
  client?: string;
  /** `fhirUser` or `sub`. */
  user?: string;
  /** X-Request-Id. */
  request: string;
  /** RFC 3339. */
  time: string;
}

export const ALLOWED: Outcome = { kind: 'allowed' };

/** The outcome that an error means. */
export function outcomeOf(error: unknown): Outcome {
  const { code, status } = toFault(error);
  return { kind: status < 500 ? 'denied' : 'failed', code };
}

/** Parameters whose values are codes and dates of a vocabulary, and name nobody. */
const TELLING = new Set([
  '_lastUpdated',
  '_sort',
  '_count',
  'category',
  'date',
  'modality',
  'started',
  'status',
]);
const HARMLESS = /^[A-Za-z0-9:.,|/+-]{1,64}$/;

/**
 * A search in a line: `Observation?category=laboratory&subject`. A value that could be a name, an identifier or anything
 * else of a person is left out, and so is a name of a parameter that is none.
 */
export function querySummary(type: string, parameters: Iterable<readonly [string, string]>): string {
  const parts = new Set<string>();
  for (const [name, value] of parameters) {
    if (!/^[A-Za-z_][\w.:-]{0,63}$/.test(name)) continue;
    parts.add(TELLING.has(name) && HARMLESS.test(value) ? `${name}=${value}` : name);
  }
  return parts.size > 0 ? `${type}?${[...parts].sort().join('&')}` : type;
}
