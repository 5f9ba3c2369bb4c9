import { Fault } from './fault.ts';

/**
 * Refusals that several places give. Each has one wording, so that the answer does not reveal which check refused, or why
 * something is hidden (IA-7).
 */

/** Refuses a request without credentials (RFC 6750 §3.1: the challenge then has no error). */
export function tokenNeeded(): Fault {
  return new Fault(
    'unauthenticated',
    'An access token is needed, in the header Authorization: Bearer TOKEN.',
  );
}

/** Refuses a patient whom the request names and the caller may not see (IA-7: 403, never an empty Bundle). */
export function patientOutOfReach(): Fault {
  const message = 'The token does not give access to the patient that was asked for.';
  const next =
    'Use the id in "patient" of the token answer. A search of Patient finds all that it gives access to.';
  return new Fault('forbidden', `${message} ${next}`);
}

/** Refuses a DICOM UID that is unknown, out of reach or withheld (IA-7). */
export function noSuchObject(): Fault {
  return new Fault(
    'not_found',
    'There is no such object for this caller. A search of studies finds those that there are.',
  );
}

/** Refuses a FHIR resource that does not exist or is out of reach. */
export function noSuchResource(): Fault {
  return new Fault(
    'not_found',
    'There is no such resource for this caller. A search finds those that there are.',
  );
}

/** Refuses a path without a route. */
export function nothingAtPath(): Fault {
  const apis = '/{tenant}/graphql, /{tenant}/fhir/{Type} and /{tenant}/dicomweb/studies';
  return new Fault('not_found', `There is nothing at this path. The APIs are at ${apis}.`);
}

/** Refuses frames of a stored object that has none. */
export function noPixelData(): Fault {
  return new Fault('not_found', 'The object has no pixel data.');
}

/** Refuses a cursor that this server did not issue, or not for this list. */
export function foreignCursor(): Fault {
  return new Fault('invalid_request', 'The cursor is not valid. Use a cursor that this server returned.');
}

/** Refuses a GraphQL mutation or subscription. */
export function queriesOnly(): Fault {
  return new Fault('invalid_request', 'Only queries are supported: nothing can be changed here.');
}

/** Refuses `@defer` and `@stream`. */
export function incrementalDelivery(): Fault {
  const message = 'Incremental delivery is not supported. Leave out @defer and @stream.';
  return new Fault('not_implemented', message);
}

/** Refuses to store or change images. @param allow the methods of the path (RFC 9110 §10.2.1) */
export function imagesAreReadOnly(allow: string): Fault {
  return new Fault('method_not_allowed', 'Images can only be read here, not stored or changed.', { allow });
}

const STOPPING = 'The server is stopping.';

/** Refuses work because the process is stopping. */
export function serverStopping(): Fault {
  return new Fault('unavailable', STOPPING, { retryAfter: 5 });
}

/** Returns true for work that failed because the process is stopping. */
export function isOfStop(error: unknown): boolean {
  return error instanceof Fault && error.message === STOPPING;
}
