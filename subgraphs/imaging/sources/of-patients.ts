import { Tag, type DicomJson } from '../../../schema/dicom.ts';
import { shownIdentifier } from '../ownership.ts';
import type { SourceQuery } from './source.ts';

/** Whether a row is of one of these patients: PACS matching is not equality (DW-21), this is, to the letter. */
export function isOfPatients(row: DicomJson, patientIds: SourceQuery['patientIds']): boolean {
  if (!patientIds) return true;
  const id = shownIdentifier(row, Tag.PatientID);
  const issuer = shownIdentifier(row, Tag.IssuerOfPatientID);
  return patientIds.some((key) => key.value === id && (key.issuer === undefined || key.issuer === issuer));
}
