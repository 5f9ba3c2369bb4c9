import type { DicomJson } from '../../../schema/dicom/dicom.ts';

/** A PatientID of a patient, as a source is asked for it. */
export interface PatientKey {
  value: string;
  issuer?: string;
}

/** Wildcards and list separators of DICOM matching: a value with one of them would match other patients (DW-21). */
const MATCHES_OTHERS = /[*?,\\\p{Cc}]/u;

/** Removes the padding of a PatientID or accession number, which is not significant (PS3.5 §6.2, LO and SH). */
export function unpadded(value: string | undefined): string {
  const text = value ?? '';
  return PADDED.test(text) ? text.replace(/^[ \0]+|[ \0]+$/g, '') : text;
}

const PADDED = /^[ \0]|[ \0]$/;

/**
 * Returns the whole identifier of a row: one that contains a backslash comes as several values, which are joined. Empty
 * if the row has none.
 */
export function statedIdentifier(row: DicomJson, tag: string): string {
  const values = row[tag]?.Value;
  if (!values || values.length === 0) return '';
  // Empty values among several are part of it, too.
  return unpadded(
    values.length === 1 ? String(values[0] ?? '') : values.map((value) => String(value ?? '')).join('\\'),
  );
}

/** Keeps values that can be queried exactly, each once. */
export function exactlyQueryable(values: readonly string[]): string[] {
  return [...new Set(values)].filter((value) => value !== '' && !MATCHES_OTHERS.test(value));
}
