import type { Identifier } from 'fhir/r4.js';
import { hasIdentifierType } from './fhir.ts';

/**
 * Identifier types of accession numbers. There are two rules, for two questions:
 *
 * - Whose study is it (`lookup: studies-by-accession`)? The answer decides what a caller may reach. Only the type that
 *   always means an accession number counts, and no tenant can add types: the number that a placer gave to an order may
 *   be the accession number of another patient's study.
 * - Which report, order and study belong together (FG-9)? The caller was authorized for each of them before, so a wrong
 *   link shows nothing new. The tenant says which types its systems use (`joins.accessionTypes`).
 */

/** The type that always means an accession number (HL7 v2-0203); for reach, and for a report's own identifiers. */
export const ACCESSION_TYPES: readonly string[] = ['ACSN'];

/** Default of `joins.accessionTypes`: the filler's number (ACSN), or the placer's number (PLAC) where there is none. */
export const ORDER_ACCESSION_TYPES: readonly string[] = ['ACSN', 'PLAC'];

/** Returns the values of the identifiers that have one of the types. */
export function accessionNumbers(
  identifiers: readonly (Identifier | undefined)[],
  types: readonly string[],
): string[] {
  return identifiers.flatMap((identifier) =>
    identifier?.value && types.some((type) => hasIdentifierType(identifier, type)) ? [identifier.value] : [],
  );
}
