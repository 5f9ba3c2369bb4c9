import { Fault } from './fault.ts';

/**
 * The one answer for a UID that is unknown, out of reach or withheld (IA-7): its bytes are the same whoever asks, and
 * wherever it was noticed.
 */
export function noSuchObject(): Fault {
  return new Fault('not_found', 'There is no such object for this caller.');
}

/** The same for a FHIR resource, and for a path that there is not. */
export function noSuchResource(): Fault {
  return new Fault('not_found', 'There is no such resource.');
}
