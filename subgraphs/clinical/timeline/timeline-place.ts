import { Fault } from '../../../schema/fault/fault.ts';
import { decodeCursor } from '../../../schema/fhir/search/paging.ts';
import type { Clinical } from '../record/clinical.ts';
import type { Observation } from 'fhir/r4.js';
import { studyEntry, type Place } from './entry.ts';
import { kindOfObservation } from './groups.ts';
import { RECORD_TYPES } from './types.ts';

/** A cursor names the resource after which the page begins. */
const PLACES = /^[A-Z][A-Za-z]{1,40}\/[A-Za-z0-9\-.]{1,64}$/;

/**
 * Returns the place that a cursor names. A cursor holds the type and the id of the last entry's resource, and no values of
 * the patient: its date is read again, within the caller's reach and among the resources of this patient.
 * @returns undefined without a cursor
 * @throws Fault `invalid_request` for a cursor of another list, or if the resource is not there any more; both are the same
 * for the caller
 */
export async function placeOfCursor(
  clinical: Clinical,
  { patientId, cursor }: { patientId: string; cursor?: string | undefined },
): Promise<Place | undefined> {
  if (cursor === undefined) return undefined;
  const [name = '', id = ''] = decodeCursor(cursor, PLACES).split('/');
  if (name === 'ImagingStudy') {
    const { studies } = await clinical.studiesOf(patientId);
    const study = studies.find((one) => one.id === id);
    if (!study) throw lost();
    return studyEntry(study).place;
  }
  const type = RECORD_TYPES.find((one) => one.type === name);
  if (!type) throw lost();
  const params = [['_id', id] as const, ['patient', patientId] as const];
  const { resources } = await clinical.search(name, { params, count: 1, strict: true });
  const resource = resources.find((one) => one.id === id);
  if (!resource) throw lost();
  const kind = type.kind ?? kindOfObservation(resource as Observation);
  return { type: name, id, kind, start: type.when(resource)?.start };
}

function lost(): Fault {
  return new Fault(
    'invalid_request',
    'The cursor is not of this timeline, or its entry is not there any more. Begin the timeline again.',
  );
}
