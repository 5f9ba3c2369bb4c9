import { Fault } from './fault.ts';

/**
 * Refusals that several places give: one wording for each, so that nobody can tell by it which place refused, or why a
 * thing that is not shown is not shown (IA-7).
 */

/** Nobody has said who is calling (RFC 6750 §3.1: the challenge then carries no error). */
export function tokenNeeded(): Fault {
  return new Fault('unauthenticated', 'An access token is needed.');
}

/** A patient who is named in the request and is not the caller's to see (IA-7: 403, never an empty Bundle). */
export function patientOutOfReach(): Fault {
  return new Fault('forbidden', 'The token does not give access to the patient that was asked for.');
}

/** A DICOM UID that is unknown, out of reach or withheld (IA-7). */
export function noSuchObject(): Fault {
  return new Fault('not_found', 'There is no such object for this caller.');
}

/** A FHIR resource that does not exist or is somebody else's. */
export function noSuchResource(): Fault {
  return new Fault('not_found', 'There is no such resource.');
}

/** A path that no route has. */
export function nothingAtPath(): Fault {
  return new Fault('not_found', 'There is nothing at this path.');
}

/** A stored object of which a frame is asked, and that has none. */
export function noPixelData(): Fault {
  return new Fault('not_found', 'The object has no pixel data.');
}

/** A cursor of a page that this server did not give, or not for this list. */
export function foreignCursor(): Fault {
  return new Fault('invalid_request', 'The cursor is not one of ours.');
}

/** A GraphQL mutation or subscription. */
export function queriesOnly(): Fault {
  return new Fault('invalid_request', 'Only queries are answered here.');
}

/** A write to images. @param allow the methods that the path has (RFC 9110 §10.2.1) */
export function imagesAreReadOnly(allow: string): Fault {
  return new Fault('method_not_allowed', 'Images are read here, not stored or changed.', { allow });
}

/** Work that the end of the process breaks off. */
export function serverStopping(): Fault {
  return new Fault('unavailable', 'The server is stopping.', { retryAfter: 5 });
}
