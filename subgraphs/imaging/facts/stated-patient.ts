import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { statedIdentifier, type PatientKey } from './identifiers.ts';
import type { StatedPatient } from './target.ts';

/**
 * Returns whether a row is of one of these patients. Compares exactly, because PACS matching is not equality (DW-21).
 */
export function isOfPatients(row: DicomJson, patientIds: readonly PatientKey[] | undefined): boolean {
  if (!patientIds) return true;
  const id = statedIdentifier(row, Tag.PatientID);
  const issuer = statedIdentifier(row, Tag.IssuerOfPatientID);
  return patientIds.some((key) => key.value === id && (key.issuer === undefined || key.issuer === issuer));
}

/** Returns the patient that a row or an object states. */
export function statedPatient(row: DicomJson): StatedPatient {
  return { id: statedIdentifier(row, Tag.PatientID), issuer: statedIdentifier(row, Tag.IssuerOfPatientID) };
}

/**
 * Returns whether an object is of the patient that the row of its study states (DW-26). Not every archive has issuers
 * in its rows (PS3.4 §C.6.2.1.2 makes them optional): then the issuer of the object is ignored.
 */
export function isOfPatient({ id, issuer }: StatedPatient, stated: StatedPatient): boolean {
  return id === stated.id && (stated.issuer === '' || issuer === stated.issuer);
}

/** Attributes that distinguish patients. */
export const OF_PATIENT = [
  Tag.PatientID,
  Tag.IssuerOfPatientID,
  Tag.PatientName,
  Tag.PatientBirthDate,
  Tag.PatientSex,
] as const;

/**
 * Returns everything that a study's row states of its patient, for caches of what is made from the study: it changes
 * with a correction.
 */
export function patientFingerprint(row: DicomJson): string {
  let fingerprint = fingerprints.get(row);
  if (fingerprint === undefined) {
    fingerprint = JSON.stringify(OF_PATIENT.map((tag) => row[tag]?.Value ?? []));
    fingerprints.set(row, fingerprint);
  }
  return fingerprint;
}

/** By rows, which are kept with the answers of their source. */
const fingerprints = new WeakMap<DicomJson, string>();
