import type { DicomJson } from '../../../schema/dicom/dicom.ts';

/** One PatientID of a patient, as a source is asked for it. */
export interface PatientKey {
  value: string;
  issuer?: string;
}

/** Wildcards and list separators of DICOM matching: such a value would match others than its owner's (DW-21). */
const MATCHES_OTHERS = /[*?,\\\p{Cc}]/u;

/** A PatientID or accession number without its padding, which is not significant (PS3.5 §6.2, LO and SH). */
export function unpadded(value: string | undefined): string {
  const text = value ?? '';
  return PADDED.test(text) ? text.replace(/^[ \0]+|[ \0]+$/g, '') : text;
}

const PADDED = /^[ \0]|[ \0]$/;

/**
 * The identifier that a row shows, as a whole: one with a backslash in it comes as several values, and is none of them.
 * Empty where it shows none.
 */
export function shownIdentifier(row: DicomJson, tag: string): string {
  const values = row[tag]?.Value;
  if (!values || values.length === 0) return '';
  // Empty ones among several are part of it as well.
  return unpadded(
    values.length === 1 ? String(values[0] ?? '') : values.map((value) => String(value ?? '')).join('\\'),
  );
}

/** Values that can be asked for exactly, each once. */
export function askable(values: readonly string[]): string[] {
  return [...new Set(values)].filter((value) => value !== '' && !MATCHES_OTHERS.test(value));
}
