import type { Identifier } from 'fhir/r4.js';
import { hasIdentifierType } from './fhir.ts';
import { splitEscaped, unescapeValue } from './search/search-value.ts';

/**
 * Identifier types of accession numbers. There are two rules, for two questions:
 *
 * - Whose study is it (`lookup: studies-by-accession`)? The answer decides what a caller may reach. Only the type that
 *   always means an accession number counts, and no tenant can add types: the number that a placer gave to an order may
 *   be the accession number of another patient's study.
 * - Which resource of the record and which study belong together (FG-9)? The caller was authorized for each of them
 *   before, so a wrong link shows nothing new. The tenant says which types its systems use (`joins`).
 */

/** The type that always means an accession number (HL7 v2-0203); for reach. */
export const ACCESSION_TYPES: readonly string[] = ['ACSN'];

/** Default of `joins.accessionTypes`: an accession number is often the number of the filler or of the placer. */
export const ORDER_ACCESSION_TYPES: readonly string[] = ['ACSN', 'FILL', 'PLAC'];

/** The rules by which a tenant joins record and images. */
export interface JoinRule {
  /** Types of identifiers that are accession numbers. */
  accessionTypes: readonly string[];
  /** The `requisition` of an order is one too, whatever its type. */
  requisition: boolean;
}

/** Returns the values of the identifiers that have one of the types. */
export function accessionNumbers(
  identifiers: readonly (Identifier | undefined)[],
  types: readonly string[],
): string[] {
  return accessionsOf(identifiers, types).map(({ value }) => value);
}

/** An accession number, and who gave it as far as that is said. */
export interface Accession {
  value: string;
  /** URI of the numbers' system. */
  system?: string | undefined;
  /** Name of the issuer, for numbers without a system (DICOM Local Namespace Entity ID, FHIR `assigner.display`). */
  issuer?: string | undefined;
}

/** Returns the accession numbers among identifiers: those that have one of the types. */
export function accessionsOf(
  identifiers: readonly (Identifier | undefined)[],
  types: readonly string[],
): Accession[] {
  return identifiers.flatMap((identifier) =>
    identifier && types.some((type) => hasIdentifierType(identifier, type)) ? accessionOf(identifier) : [],
  );
}

/** Returns an identifier as an accession number, whatever its type; none without a value. */
export function accessionOf({ value, system, assigner }: Identifier): Accession[] {
  return value ? [{ value, system, issuer: assigner?.display }] : [];
}

/**
 * Returns true when two accession numbers are one. Numbers repeat between issuers: where both sides give a system, or else
 * both the name of an issuer, these must be the same too.
 */
export function isSameAccession(one: Accession, other: Accession): boolean {
  if (one.value !== other.value) return false;
  if (one.system && other.system) return one.system === other.system;
  if (!one.issuer || !other.issuer) return true;
  return one.issuer.trim().toLowerCase() === other.issuer.trim().toLowerCase();
}

/** Returns true when two identifiers have the same accession number, whatever their types. */
export function isSameNumber(one: Identifier, other: Identifier): boolean {
  return haveOneAccession(accessionOf(one), accessionOf(other));
}

/** Returns true when two lists have an accession number in common. */
export function haveOneAccession(some: readonly Accession[], others: readonly Accession[]): boolean {
  return some.some((one) => others.some((other) => isSameAccession(one, other)));
}

/** Writes an accession number as one text, by which the subgraphs pass it on: `value`, `system|value` or `system|value|issuer`. */
export function accessionText({ value, system = '', issuer = '' }: Accession): string {
  const parts = issuer ? [system, value, issuer] : system ? [system, value] : [value];
  return parts.map((part) => part.replace(/[\\|]/g, '\\$&')).join('|');
}

/** Reads what `accessionText` wrote. */
export function readAccession(text: string): Accession {
  const parts = splitEscaped(text, '|').map(unescapeValue);
  const [system, value = '', issuer] = parts.length === 1 ? ['', ...parts] : parts;
  return { value, system: system || undefined, issuer: issuer || undefined };
}
