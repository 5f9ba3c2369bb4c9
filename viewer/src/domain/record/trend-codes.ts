import type { Concept, Result } from './record.ts';

/**
 * Returns what a trend is asked by: the codes of the numbers of a result (those of its parts, for a blood pressure), or else
 * its own, each with its concept; none where the record gives it no code.
 */
export function codesOf({ concept, measures = [] }: Result): ReadonlyMap<string, Concept> {
  const coded = (concepts: readonly Concept[]) =>
    new Map(
      concepts.flatMap((one): [string, Concept][] => {
        const code = codeOf(one);
        return code === undefined ? [] : [[code, one]];
      }),
    );
  const measured = coded(measures.map((one) => one.concept));
  return measured.size > 0 ? measured : coded([concept]);
}

/** A code with its system, as a search parameter of type token has it (FHIR R4 §3.1.1.4.10). */
function codeOf({ system, code }: Concept): string | undefined {
  return code === undefined || system === undefined ? code : `${system}|${code}`;
}
