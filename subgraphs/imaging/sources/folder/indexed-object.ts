import { Tag, text } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { Header } from '../../parsing/header.ts';

/** Identity of an indexed object, by which its callers were authorized (DW-26). */
export interface IndexedObject {
  studyUid: string;
  sopInstanceUid: string;
  patientId: string;
  issuer: string | null;
}

/** Cause of a refusal: the file has another object than the indexed one. */
export class OtherObject extends Error {}

/** Refuses the header of another object with Fault `unavailable` and cause OtherObject. It is then indexed again. */
export function throwIfOther(indexed: IndexedObject, header: Header): void {
  const same =
    header.kind === 'instance' &&
    text(header.attributes, Tag.StudyInstanceUID) === indexed.studyUid &&
    text(header.attributes, Tag.SOPInstanceUID) === indexed.sopInstanceUid &&
    (text(header.attributes, Tag.PatientID) ?? '') === indexed.patientId &&
    (text(header.attributes, Tag.IssuerOfPatientID) ?? null) === indexed.issuer;
  if (same) return;
  throw new Fault('unavailable', 'The object has changed in its folder and is being indexed again.', {
    service: 'imaging',
    retryAfter: 2,
    cause: new OtherObject('The file holds another object than was indexed.'),
  });
}
