import type { ElementDefinition, StructureDefinition } from 'fhir/r4.js';
import { splitOutside } from '../expressions/fhirpath.ts';
import type { Definitions } from './definitions.ts';

/** Systems of `true` and `false` (R4 §3.1.1.4.10, and where the code system is now). */
const BOOLEAN = [
  'http://hl7.org/fhir/special-values',
  'http://terminology.hl7.org/CodeSystem/special-values',
];

/**
 * Returns the code systems of the `code` and `boolean` elements that an expression selects: their bindings imply them.
 * @param expression plain paths from this resource type
 * @returns undefined when there are no such elements, or the system of one is not known
 */
export function impliedSystems(
  type: string,
  expression: string,
  definitions: Definitions,
): string[] | undefined {
  const systems = splitOutside(expression, '|')
    .map((branch) => elementOf(type, branch, definitions))
    .map((element) => systemsOf(element, definitions));
  if (systems.includes(undefined)) return undefined;
  const all = [...new Set(systems.flatMap((of) => of ?? []))].sort();
  return all.length > 0 ? all : undefined;
}

/** @returns none for an element that is no code, undefined for one whose system is not known */
function systemsOf(
  element: ElementDefinition | undefined,
  { systems }: Definitions,
): readonly string[] | undefined {
  const codes = element?.type?.map(({ code }) => code) ?? [];
  if (codes.includes('boolean')) return BOOLEAN;
  if (!codes.includes('code')) return element ? [] : undefined;
  const { strength, valueSet } = element?.binding ?? {};
  const system = strength === 'required' ? systems.get((valueSet ?? '').split('|')[0]!) : undefined;
  return system === undefined ? undefined : [system];
}

function elementOf(
  type: string,
  branch: string,
  { resources, datatypes }: Definitions,
): ElementDefinition | undefined {
  const [first, ...steps] = splitOutside(branch, '.').filter((step) => !/^(ofType|where)\(/.test(step));
  let definition: StructureDefinition | undefined = resources.get(type);
  let path = type;
  let element: ElementDefinition | undefined;
  const find = (at: string) =>
    definition?.snapshot?.element.find((one) => one.path === at || one.path === `${at}[x]`);
  if (first !== type && first !== 'Resource' && first !== 'DomainResource') return undefined;
  for (const step of steps) {
    let next = find(`${path}.${step}`);
    if (!next) {
      // The element is of a datatype, which has its own definition.
      definition = datatypes.get(element?.type?.[0]?.code ?? '');
      path = definition?.type ?? '';
      next = find(`${path}.${step}`);
    }
    if (!next) return undefined;
    element = next;
    path = next.path;
  }
  return element;
}
