import { Tag, text } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { Header } from '../../parsing/header.ts';

/** What an object of the index is: what those who may have it were judged by (DW-26). */
export interface IndexedObject {
  studyUid: string;
  sopInstanceUid: string;
  patientId: string;
  issuer: string | null;
}

/** The cause of a refusal: the file holds another object than was indexed. */
export class OtherObject extends Error {}

/** @throws Fault `unavailable`, its cause OtherObject, for a header of another object: it is indexed anew */
export function throwIfOther(indexed: IndexedObject, header: Header): void {
  const same =
    header.kind === 'instance' &&
    text(header.attributes, Tag.StudyInstanceUID) === indexed.studyUid &&
    text(header.attributes, Tag.SOPInstanceUID) === indexed.sopInstanceUid &&
    (text(header.attributes, Tag.PatientID) ?? '') === indexed.patientId &&
    (text(header.attributes, Tag.IssuerOfPatientID) ?? null) === indexed.issuer;
  if (same) return;
  throw new Fault('unavailable', 'The object has changed in its folder and is being indexed again.', {
    ...{ service: 'imaging', retryAfter: 2 },
    cause: new OtherObject('The file holds another object than was indexed.'),
  });
}
