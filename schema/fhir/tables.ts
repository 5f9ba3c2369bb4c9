import { readFileSync } from 'node:fs';

/**
 * Facts from the FHIR definitions for use at run time: fields of types, search parameters of resources, the patient
 * compartment. They are read from `tables.json`, which `npm run schema` writes from the definitions.
 */

/** `reference` is FHIR's Reference; `resource` is a whole resource inside another (`contained`). */
export type FieldKind = 'primitive' | 'complex' | 'reference' | 'resource';

export interface Field {
  /** Name in FHIR JSON and in GraphQL. A choice appears once for each type (`valueQuantity`). */
  name: string;
  /** The FHIR type: a primitive (`dateTime`), a datatype (`HumanName`) or a backbone element (`PatientContact`). */
  type: string;
  kind: FieldKind;
  list: boolean;
  /** The choice that the field belongs to: `value` for `valueQuantity`. */
  choice?: string;
  /** For a reference: the types of resources to which it may point; absent when it may point to any. */
  targets?: string[];
  /** True when the element belongs to the summary of its type (ElementDefinition.isSummary). */
  summary?: true;
  /** True when the element must be there, for a choice one of them (ElementDefinition.min). */
  mandatory?: true;
}

/** Types of search parameters (R4 §3.1.1.4). */
export type SearchType =
  'composite' | 'date' | 'number' | 'quantity' | 'reference' | 'special' | 'string' | 'token' | 'uri';

export interface SearchComponent {
  /** Code of the search parameter that gives type and comparison of the component. */
  code: string;
  /** FHIRPath, relative to each item of the composite's expression. */
  expression: string;
}

export interface SearchParameter {
  /** Name in a FHIR URL (`value-quantity`); `argumentName` gives the GraphQL spelling. */
  code: string;
  type: SearchType;
  description: string;
  /** FHIRPath from this resource type; empty when the standard gives none (`near`). Choices need the R4 model. */
  expression: string;
  /** For a reference: the resource types of its target. References to other types do not match. */
  targets?: string[];
  /** For a token: the code systems that the bindings of its `code` elements imply; absent when they are not known. */
  systems?: string[];
  /** For a composite: its parts in order, written `a$b` in a search. */
  components?: SearchComponent[];
}

/** The shape of `tables.json`. */
export interface Tables {
  clinicalResources: string[];
  imagingResources: string[];
  /** GraphQL names of FHIR types, where they differ. */
  renamed: Record<string, string>;
  types: Record<string, Field[]>;
  searchParameters: Record<string, SearchParameter[]>;
  /** Target type → source type → reference parameters that become `{source}List` and `{source}Connection` on the target. */
  reverse: Record<string, Record<string, string[]>>;
  /** Parameters that put a resource into a patient's compartment, by resource type (CompartmentDefinition/patient). */
  patientCompartment: Record<string, string[]>;
}

/** The whole `tables.json`, parsed. */
export const tables: Readonly<Tables> = JSON.parse(
  readFileSync(new URL('../tables.json', import.meta.url), 'utf8'),
) as Tables;

/** Resource types of the clinical subgraph, sorted. */
export const clinicalResources: readonly string[] = tables.clinicalResources;

/** Resource types of the imaging subgraph: Endpoint and ImagingStudy. */
export const imagingResources: readonly string[] = tables.imagingResources;

/** All resource types of the graph, sorted: the members of `ResourceUnion`. */
export const resourceTypes: readonly string[] = [...clinicalResources, ...imagingResources].sort();

const parametersByCode: ReadonlyMap<string, ReadonlyMap<string, SearchParameter>> = new Map(
  Object.entries(tables.searchParameters).map(([type, parameters]) => [
    type,
    new Map(parameters.map((parameter) => [parameter.code, parameter])),
  ]),
);

/** Returns true when the graph has this resource type. */
export function isResourceType(type: string): boolean {
  return parametersByCode.has(type);
}

/** Returns the fields of a resource, datatype or backbone element in the standard's order; none for an unknown type. */
export function fieldsOf(type: string): readonly Field[] {
  return own(tables.types, type) ?? [];
}

/** Returns the search parameters of a resource type, sorted by code; `_id`, `_lastUpdated` and `_tag` are among them. */
export function searchParameters(type: string): readonly SearchParameter[] {
  return own(tables.searchParameters, type) ?? [];
}

/** Returns a search parameter by its FHIR code (`value-quantity`), or undefined. */
export function searchParameter(type: string, code: string): SearchParameter | undefined {
  return parametersByCode.get(type)?.get(code);
}

/**
 * Returns the search parameters by which a resource of this type belongs to a patient (R4 §7.6.1). Empty for a type
 * outside the compartment, such as Organization. A Patient belongs to itself by its id, besides `link`.
 */
export function patientCompartment(type: string): readonly string[] {
  return own(tables.patientCompartment, type) ?? [];
}

/** Returns the reference parameters of `source` that point at `target`, by FHIR code: the values of `_reference`. */
export function reverseParameters(source: string, target: string): readonly string[] {
  return own(own(tables.reverse, target) ?? {}, source) ?? [];
}

/**
 * Returns the parameter of a reverse field without `_reference`: the only one, or `patient` on a Patient. Undefined when
 * several fit, so that the client has to choose.
 */
export function defaultReverseParameter(source: string, target: string): string | undefined {
  const parameters = reverseParameters(source, target);
  if (parameters.length === 1) return parameters[0];
  return target === 'Patient' && parameters.includes('patient') ? 'patient' : undefined;
}

/** Returns the GraphQL type of a FHIR type: the same name, except for FHIR's Subscription. */
export function graphqlType(type: string): string {
  return own(tables.renamed, type) ?? type;
}

/** Returns the GraphQL spelling of a search parameter: `_` for `-`. It is unique within a type. */
export function argumentName(code: string): string {
  return code.replaceAll('-', '_');
}

/** Returns the search parameter of a GraphQL argument or `_reference` value, or undefined. */
export function parameterOfArgument(type: string, argument: string): SearchParameter | undefined {
  return searchParameters(type).find(({ code }) => argumentName(code) === argument);
}

/** Reads an own property only: a client may send `constructor` as a type. */
function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
