import type { Identifier } from 'fhir/r4.js';
import type { PatientIdentity } from '../../../schema/access/access.ts';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { statedIdentifier, unpadded } from '../facts/identifiers.ts';

/** The record numbers of a patient by the names of their issuers. */
export type IssuedNumbers = ReadonlyMap<string, ReadonlySet<string>>;

export const NONE_ISSUED: IssuedNumbers = new Map();

/**
 * Returns the numbers of a patient by issuer, as far as the record names issuers.
 * @param numbers the medical record numbers of the patient; other identifiers, such as a passport's, are ignored
 */
export function issuedNumbers(
  { identifier, merged = [], withheld = [] }: PatientIdentity,
  numbers: readonly string[],
): IssuedNumbers {
  const issued = new Map<string, Set<string>>();
  for (const one of [identifier, ...merged].flat()) {
    const value = typeof one.value === 'string' ? unpadded(one.value) : '';
    if (!numbers.includes(value) && !withheld.includes(value.trim())) continue;
    for (const name of issuersOf(one)) issued.set(name, (issued.get(name) ?? new Set()).add(value));
  }
  return issued;
}

/** Returns the names by which an archive may call the issuer of an identifier: its system, an OID, its assigner. */
function issuersOf({ system, assigner }: Identifier): string[] {
  const names = [system, system?.replace(/^urn:oid:/, ''), assigner?.display, assigner?.identifier?.value];
  return names.filter((name): name is string => typeof name === 'string' && name !== '').map(unpadded);
}

/**
 * Tells whether the issuer of a row's PatientID gave the patient only other numbers: the PatientID is then that of another
 * person, who has the same number from that issuer. An issuer that the record does not name says nothing.
 */
export function contradictsIssuer(row: DicomJson, issued: IssuedNumbers): boolean {
  if (issued.size === 0) return false;
  const own = issued.get(statedIdentifier(row, Tag.IssuerOfPatientID));
  return own !== undefined && !own.has(statedIdentifier(row, Tag.PatientID));
}
