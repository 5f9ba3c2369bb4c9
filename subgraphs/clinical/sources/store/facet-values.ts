import type { CodeableConcept, Coding } from 'fhir/r4.js';
import type { Facet } from '../../../../schema/fhir/facets.ts';
import { parseFhirJson } from '../../../../schema/fhir/decimal.ts';
import { searchParameter } from '../../../../schema/fhir/tables.ts';
import { compileExpression } from '../../search/expression.ts';
import { foldCode, IMPLIED_SYSTEM } from '../../search/index-rows.ts';
import type { FacetsFound } from './question.ts';

/**
 * Returns the counted values as the record writes them, with their display: the index has codes in lower case and no
 * display. Both are of the first resource that has the value.
 */
export function facetValues(type: string, code: string, { rows, others, count }: FacetsFound): Facet[] {
  const valuesOf = compileExpression(searchParameter(type, code)!.expression, type);
  const facets = rows.map(({ code, system, count, json }): Facet => {
    const codings = valuesOf(parseFhirJson(json) as object).flatMap(codingsOf);
    const own = codings.find(
      (one) => foldCode(one.code) === code && [one.system ?? '', IMPLIED_SYSTEM].includes(system),
    );
    return { value: own?.code ?? code, system: own?.system, display: own?.display, count };
  });
  return others > 0 ? [...facets, { count, others }] : facets;
}

type Coded = { code: string } & Pick<Coding, 'system' | 'display'>;

function codingsOf({ value }: { value: unknown }): Coded[] {
  if (typeof value !== 'object' || value === null) return [{ code: String(value) }];
  const { coding, text } = value as CodeableConcept;
  const codings = coding ?? [value as Coding];
  return codings.flatMap(({ code, system, display = text }) =>
    code === undefined ? [] : [{ code, system, display }],
  );
}
