import type { Identifier } from 'fhir/r4.js';
import { hasIdentifierType } from './fhir.ts';

/**
 * Which identifiers are accession numbers. These are two rules, because two questions are asked:
 *
 * - Whose study is it (`lookup: studies-by-accession`)? That decides what a caller may reach, so it takes the type that
 *   means nothing else, and no tenant can widen it: the number that a placer gave to an order may be the accession
 *   number of another patient's study.
 * - Which report, order and study belong together (FG-9)? All of them have been decided on before, so a wrong link shows
 *   nothing new, and the tenant says which types its systems use (`joins.accessionTypes`).
 */

/** The type of an accession number and of nothing else (HL7 v2-0203): what reach goes by, and a report's own identifiers. */
export const ACCESSION_TYPES: readonly string[] = ['ACSN'];

/** Default of `joins.accessionTypes`: the filler gives ACSN; what the placer gave stands in where it did not. */
export const ORDER_ACCESSION_TYPES: readonly string[] = ['ACSN', 'PLAC'];

/** Values of the identifiers that have one of the types. */
export function accessionNumbers(
  identifiers: readonly (Identifier | undefined)[],
  types: readonly string[],
): string[] {
  return identifiers.flatMap((identifier) =>
    identifier?.value && types.some((type) => hasIdentifierType(identifier, type)) ? [identifier.value] : [],
  );
}
