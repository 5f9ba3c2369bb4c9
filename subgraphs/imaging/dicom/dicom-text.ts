import { text, UID, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { plainText } from '../../../schema/dicom/plain-text.ts';

/** Converts DICOM values to FHIR strings. A FHIR string is never empty and has no control characters (FHIR R4 §2.24.0.1). */

/** Returns the first value of the attribute as a FHIR string. */
export function string(dataset: DicomJson, tag: string): string | undefined {
  return plainText(text(dataset, tag));
}

/** Returns all values of the attribute as FHIR strings. Some servers give several in one, separated by a backslash. */
export function strings(dataset: DicomJson, tag: string): string[] {
  return (dataset[tag]?.Value ?? [])
    .filter((value) => typeof value === 'string' || typeof value === 'number')
    .flatMap((value) => String(value).split('\\'))
    .map(plainText)
    .filter((value) => value !== undefined);
}

/** Returns the first value as a FHIR unsignedInt; undefined for anything else, such as a negative SeriesNumber. */
export function unsignedInt(dataset: DicomJson, tag: string): number | undefined {
  const value = string(dataset, tag);
  if (!value || !/^\+?\d{1,10}(\.0*)?$/.test(value)) return undefined;
  const number = Number(value);
  return number <= 2_147_483_647 ? number : undefined;
}

/** Returns the first value as a UID without padding; undefined when it cannot be a FHIR id. */
export function uid(dataset: DicomJson, tag: string): string | undefined {
  const value = string(dataset, tag);
  return value && UID.test(value) ? value : undefined;
}

/**
 * Returns person names for display: `Prefix Given Middle Family Suffix` from PN's
 * `Family^Given^Middle^Prefix^Suffix` (PS3.5 §6.2.1), in the alphabetic form if there is one.
 */
export function personNames(dataset: DicomJson, tag: string): string[] {
  return (dataset[tag]?.Value ?? []).map(personName).filter((name) => name !== undefined);
}

function personName(value: unknown): string | undefined {
  if (typeof value === 'string') return inOrder(value.split('=')[0], false);
  if (typeof value !== 'object' || value === null) return undefined;
  const { Alphabetic, Ideographic, Phonetic } = value as Record<string, string | undefined>;
  return inOrder(Alphabetic, false) ?? inOrder(Ideographic, true) ?? inOrder(Phonetic, true);
}

function inOrder(name: string | undefined, familyFirst: boolean): string | undefined {
  const [family, given, middle, prefix, suffix] = (name ?? '').split('^');
  const parts = familyFirst
    ? [prefix, family, given, middle, suffix]
    : [prefix, given, middle, family, suffix];
  return plainText(parts.filter(Boolean).join(' '));
}
