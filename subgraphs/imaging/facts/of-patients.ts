import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { shownIdentifier } from './identifiers.ts';
import type { PatientKey } from './identifiers.ts';
import type { StatedPatient } from './target.ts';

/** Whether a row is of one of these patients: PACS matching is not equality (DW-21), this is, to the letter. */
export function isOfPatients(row: DicomJson, patientIds: readonly PatientKey[] | undefined): boolean {
  if (!patientIds) return true;
  const id = shownIdentifier(row, Tag.PatientID);
  const issuer = shownIdentifier(row, Tag.IssuerOfPatientID);
  return patientIds.some((key) => key.value === id && (key.issuer === undefined || key.issuer === issuer));
}

/** The patient whom a row or an object states. */
export function statedPatient(row: DicomJson): StatedPatient {
  return { id: shownIdentifier(row, Tag.PatientID), issuer: shownIdentifier(row, Tag.IssuerOfPatientID) };
}

/**
 * Whether an object is of the patient whom the row of its study states (DW-26). Not every archive shows issuers in its
 * rows (PS3.4 §C.6.2.1.2 leaves them optional): then the object's counts for nothing.
 */
export function isOfPatient({ id, issuer }: StatedPatient, stated: StatedPatient): boolean {
  return id === stated.id && (stated.issuer === '' || issuer === stated.issuer);
}

/** Attributes that tell one patient from another. */
export const OF_PATIENT = [
  Tag.PatientID,
  Tag.IssuerOfPatientID,
  Tag.PatientName,
  Tag.PatientBirthDate,
  Tag.PatientSex,
] as const;

/** All that a study's row says of its patient, for caches of what is made of the study: another after a correction. */
export function patientAsSaid(row: DicomJson): string {
  return JSON.stringify(OF_PATIENT.map((tag) => row[tag]?.Value ?? []));
}
