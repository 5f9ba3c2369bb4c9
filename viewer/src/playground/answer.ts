/** A request, and its answer. */

export interface Asked {
  query: string;
  variables: Readonly<Record<string, unknown>>;
  operationName?: string | undefined;
}

/** Finds one of the patients that a token for several opens. */
export const ANY_PATIENT = 'query AnyPatient { PatientList(_count: 1) { id } }';

/** Returns variables as they are edited; undefined while they are no object of JSON. */
export function variablesIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.trim() || '{}');
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Returns what the server says that it makes first, and that nothing is to be done. */
export function waitingFor(message = 'The data are being made.'): string {
  return `${message.replace(/\s*Try again.*$/s, '')} The page asks again by itself until the answer is there.`;
}

export interface Answer {
  asked: Asked;
  /** HTTP status; 0 if there was no answer. */
  status: number;
  /** From sending to the last byte. */
  milliseconds: number;
  /** Of the body, without compression. */
  bytes: number;
  /**
   * The body as it came, and as the answer of a query, as `parseFhirJson` gives it; undefined if it is no JSON. A resource
   * of FHIR is the value of one field with its type.
   */
  text: string;
  json: GraphqlAnswer | undefined;
  /** True for rows of SQL that are the first ones: others were not read. */
  isCut?: boolean;
  /** Names of the columns of rows of SQL, also without rows; undefined for an answer that is a tree. */
  columns?: readonly string[];
}

export interface GraphqlAnswer {
  data?: Readonly<Record<string, unknown>> | null;
  errors?: readonly GraphqlError[];
  extensions?: Readonly<Record<string, unknown>>;
}

export interface GraphqlError {
  message: string;
  path?: readonly (string | number)[];
  extensions?: Readonly<Record<string, unknown>>;
}
