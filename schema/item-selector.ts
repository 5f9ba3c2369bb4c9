import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4';
import { LRUCache } from 'lru-cache';
import { withPlainNumbers } from './decimal.ts';
import { Fault } from './fault.ts';
import { fieldsOf, resourceTypes } from './tables.ts';

/** Chooses among the items of a list, which are of one FHIR type. */
export type Select = (items: readonly unknown[], expression: string, type: string) => unknown[];

/** Functions that can cost without end, call out or print; none of them helps to choose an item. */
const REFUSED = /\b(matches\w*|replaceMatches|repeat|trace|memberOf|resolve|aggregate)\s*\(|%/;
const MAX_EXPRESSION = 500;

/**
 * Chooses the items for which a FHIRPath expression is true; compiled expressions are kept.
 * @returns a function that throws Fault `invalid_request` for an expression that is refused or cannot be evaluated
 */
export function itemSelector(): Select {
  const compiled = new LRUCache<string, (item: unknown) => unknown[]>({ max: 200 });
  const paths = elementPaths();
  return (items, expression, type) => {
    if (expression.length > MAX_EXPRESSION || REFUSED.test(expression)) {
      throw new Fault(
        'invalid_request',
        'The fhirpath argument is too long or uses a function that is not allowed.',
      );
    }
    try {
      const key = `${type} ${expression}`;
      let evaluate = compiled.get(key);
      if (!evaluate) {
        evaluate = fhirpath.compile({ base: paths.get(type) ?? type, expression }, r4, {
          async: false,
        }) as (item: unknown) => unknown[];
        compiled.set(key, evaluate);
      }
      return items.filter((item) => evaluate(withPlainNumbers(item))[0] === true);
    } catch (cause) {
      throw new Fault('invalid_request', 'The fhirpath argument cannot be evaluated.', { cause });
    }
  };
}

/** Backbone types by the path that FHIRPath knows them by: `ObservationComponent` → `Observation.component`. */
function elementPaths(): Map<string, string> {
  const paths = new Map<string, string>();
  const visit = (type: string, path: string): void => {
    for (const field of fieldsOf(type)) {
      if (field.kind !== 'complex' || !field.type.startsWith(type) || field.type === type) continue;
      if (paths.has(field.type)) continue;
      paths.set(field.type, `${path}.${field.name}`);
      visit(field.type, `${path}.${field.name}`);
    }
  };
  for (const type of resourceTypes) visit(type, type);
  return paths;
}
