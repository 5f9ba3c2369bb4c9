import type { Field, SearchParameter } from '../fhir/tables.ts';
import type { Definitions } from './definitions.ts';
import { compareText } from '../process/texts.ts';
import { elementTypes, primitiveScalars, type ElementType } from './elements.ts';
import {
  anyTargetFrom,
  defaultClinicalResources,
  imagingResources,
  reverseOfAnyTarget,
} from './resources.ts';
import { searchParametersOf } from './search.ts';

/** The data from which the SDL and the tables are written. */
export interface Model {
  clinicalResources: readonly string[];
  imagingResources: readonly string[];
  /** Resources, datatypes and backbone elements by name. */
  types: ReadonlyMap<string, ElementType>;
  /** Names of the datatypes; both subgraphs may declare them. */
  datatypes: ReadonlySet<string>;
  searchParameters: ReadonlyMap<string, readonly SearchParameter[]>;
  /** Target → source → reference parameters, among clinical resources. */
  reverse: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;
  patientCompartment: ReadonlyMap<string, readonly string[]>;
}

/**
 * Builds the model of the graph.
 * @param all use every resource of R4 instead of the default list
 * @throws Error when two types would get the same name, or a listed resource is unknown
 */
export function buildModel(definitions: Definitions, all = false): Model {
  const imaging: string[] = [...imagingResources];
  const clinical: string[] = all
    ? [...definitions.resources.keys()].filter((type) => !imaging.includes(type))
    : [...defaultClinicalResources];
  const resources = [...clinical, ...imaging].sort(compareText);
  const types = new Map<string, ElementType>();
  for (const name of resources) {
    const definition = definitions.resources.get(name);
    if (!definition) throw new Error(`R4 has no resource ${name}`);
    elementTypes(definition).forEach((type) => add(types, type));
  }
  const datatypes = addDatatypes(types, definitions);
  const searchParameters = new Map(resources.map((type) => [type, searchParametersOf(type, definitions)]));
  return {
    clinicalResources: clinical.sort(compareText),
    imagingResources: imaging,
    types,
    datatypes,
    searchParameters,
    reverse: reverseFields(clinical, searchParameters),
    patientCompartment: new Map(
      (definitions.patientCompartment.resource ?? [])
        .filter(({ code, param }) => param && resources.includes(code))
        .map(({ code, param }) => [code, param ?? []]),
    ),
  };
}

function add(types: Map<string, ElementType>, type: ElementType): void {
  if (types.has(type.name)) throw new Error(`Two FHIR types would be called ${type.name}`);
  types.set(type.name, type);
}

/** Adds the datatypes that the types use, directly or through other datatypes. */
function addDatatypes(types: Map<string, ElementType>, { datatypes }: Definitions): Set<string> {
  const added = new Set<string>();
  const wanted = ['Element', ...[...types.values()].flatMap(typesUsed)];
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    const definition = datatypes.get(name);
    if (!definition || types.has(name)) continue;
    for (const type of elementTypes(definition)) {
      add(types, type);
      added.add(type.name);
      wanted.push(...typesUsed(type));
    }
  }
  return added;
}

/** Returns the types of a type's fields, without primitives. */
export function typesUsed({ fields }: { fields: readonly Field[] }): string[] {
  return fields.map(({ type }) => type).filter((type) => !(type in primitiveScalars) && type !== 'Resource');
}

function reverseFields(
  resources: readonly string[],
  searchParameters: ReadonlyMap<string, readonly SearchParameter[]>,
): Map<string, Map<string, string[]>> {
  const reverse = new Map(resources.map((target) => [target, new Map<string, string[]>()]));
  for (const source of resources) {
    for (const { code, targets = [] } of searchParameters.get(source) ?? []) {
      if (targets.length >= anyTargetFrom && !reverseOfAnyTarget.has(`${source}.${code}`)) continue;
      for (const target of targets) {
        const sources = reverse.get(target);
        sources?.set(source, [...(sources.get(source) ?? []), code]);
      }
    }
  }
  return reverse;
}
