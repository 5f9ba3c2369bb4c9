import type { FhirReference, Maybe } from '../fhir/shapes.ts';
import { Trouble } from '../trouble.ts';
import type { RestStudy } from './rest-studies.ts';
import { read, search, type Asking } from './search.ts';

/** A UID of DICOM; anything else is the id of a resource. */
const UID = /^\d+(\.\d+)+$/;

/**
 * Finds whose a study is (ImagingStudy.subject).
 * @param study Study Instance UID, or the id of its resource
 * @returns the id of the patient
 * @throws Trouble `not-found` also for a study that names no patient; the reason of the signal
 */
export async function patientOfStudy(imaging: Asking, study: string): Promise<string> {
  const identifier = `urn:dicom:uid|urn:oid:${study}`;
  const resource = UID.test(study)
    ? (await search<RestStudy>(imaging, 'ImagingStudy', { identifier })).matches[0]
    : await read<RestStudy>(imaging, 'ImagingStudy', study);
  const patient = patientIdOf(resource?.subject);
  if (patient === undefined) throw new Trouble('not-found', 'ImagingStudy: there is no such study');
  return patient;
}

export function patientIdOf(reference: Maybe<FhirReference>): string | undefined {
  return /(?:^|\/)Patient\/([^/]+)/.exec(reference?.reference ?? '')?.[1];
}
