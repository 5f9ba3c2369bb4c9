import { readFileSync } from 'node:fs';

/**
 * What the generator learnt from the FHIR definitions, for use at run time: the fields of every type, the
 * search parameters of every resource, the patient compartment. Read from `tables.json`, which
 * `npm run generate` writes; nothing here needs the definitions themselves.
 */

/** `reference` is FHIR's Reference, `resource` a whole resource in place (`contained`). */
export type FieldKind = 'primitive' | 'complex' | 'reference' | 'resource';

export interface Field {
  /** The FHIR JSON name, which is the GraphQL name too; a choice appears once for each type (`valueQuantity`). */
  name: string;
  /** The FHIR type: a primitive (`dateTime`), a datatype (`HumanName`) or a backbone element (`PatientContact`). */
  type: string;
  kind: FieldKind;
  list: boolean;
  /** The name of the choice it is one of: `value` for `valueQuantity`. */
  choice?: string;
}

/** R4 §3.1.1.4. */
export type SearchType =
  'composite' | 'date' | 'number' | 'quantity' | 'reference' | 'special' | 'string' | 'token' | 'uri';

export interface SearchComponent {
  /** Code of the search parameter whose type and comparison the component has. */
  code: string;
  /** FHIRPath, relative to each item of the composite's own expression. */
  expression: string;
}

export interface SearchParameter {
  /** As in a FHIR URL (`value-quantity`); `argumentName` gives its GraphQL spelling. */
  code: string;
  type: SearchType;
  description: string;
  /** FHIRPath starting at this resource type; empty where the standard gives none (`near`). Wants the R4 model for choices. */
  expression: string;
  /** Of a reference: the resource types it may point at; references to other types do not match. */
  targets?: string[];
  /** Of a composite: its parts in order, written `a$b` in a search. */
  components?: SearchComponent[];
}

/** The shape of `tables.json`. */
export interface Tables {
  clinicalResources: string[];
  imagingResources: string[];
  /** FHIR types whose GraphQL type has another name. */
  renamed: Record<string, string>;
  types: Record<string, Field[]>;
  searchParameters: Record<string, SearchParameter[]>;
  /** Target type → source type → reference parameters that become `{source}List` and `{source}Connection` on the target. */
  reverse: Record<string, Record<string, string[]>>;
  /** The parameters that put a resource into a patient's compartment, by resource type (CompartmentDefinition/patient). */
  patientCompartment: Record<string, string[]>;
}

/** The parsed `tables.json`, for whoever wants to walk all of it. */
export const tables: Readonly<Tables> = JSON.parse(
  readFileSync(new URL('../tables.json', import.meta.url), 'utf8'),
) as Tables;

/** The types the clinical subgraph owns, sorted. */
export const clinicalResources: readonly string[] = tables.clinicalResources;

/** The types the imaging subgraph owns: Endpoint and ImagingStudy. */
export const imagingResources: readonly string[] = tables.imagingResources;

/** Every resource type of the graph, clinical and imaging, sorted; the members of `ResourceUnion`. */
export const resourceTypes: readonly string[] = [...clinicalResources, ...imagingResources].sort();

const parametersByCode: ReadonlyMap<string, ReadonlyMap<string, SearchParameter>> = new Map(
  Object.entries(tables.searchParameters).map(([type, parameters]) => [
    type,
    new Map(parameters.map((parameter) => [parameter.code, parameter])),
  ]),
);

/** Whether the graph has a resource of this type; false for anything else a client may send. */
export function isResourceType(type: string): boolean {
  return parametersByCode.has(type);
}

/** The fields of a resource, datatype or backbone element, in the order of the standard; none for an unknown type. */
export function fieldsOf(type: string): readonly Field[] {
  return own(tables.types, type) ?? [];
}

/** The search parameters of a resource type, sorted by code, `_id`, `_lastUpdated`, `_tag` … among them. */
export function searchParameters(type: string): readonly SearchParameter[] {
  return own(tables.searchParameters, type) ?? [];
}

/** One search parameter by its FHIR code (`value-quantity`), or undefined. */
export function searchParameter(type: string, code: string): SearchParameter | undefined {
  return parametersByCode.get(type)?.get(code);
}

/**
 * The search parameters by which a resource of this type belongs to a patient (R4 §7.6.1). Empty for a type
 * outside the compartment, such as Organization. Patient itself belongs by its id, besides `link`.
 */
export function patientCompartment(type: string): readonly string[] {
  return own(tables.patientCompartment, type) ?? [];
}

/** The reference parameters of `source` that point at `target`: the values of `_reference` there, by FHIR code. */
export function reverseParameters(source: string, target: string): readonly string[] {
  return own(own(tables.reverse, target) ?? {}, source) ?? [];
}

/**
 * The parameter meant when a reverse field is asked without `_reference`: the only one, or `patient` on a
 * Patient; undefined where several fit and the caller has to say.
 */
export function defaultReverseParameter(source: string, target: string): string | undefined {
  const parameters = reverseParameters(source, target);
  if (parameters.length === 1) return parameters[0];
  return target === 'Patient' && parameters.includes('patient') ? 'patient' : undefined;
}

/** The GraphQL type of a FHIR type: the same, except for FHIR's Subscription. */
export function graphqlType(type: string): string {
  return own(tables.renamed, type) ?? type;
}

/** The GraphQL spelling of a search parameter: `-` is written `_`. No two parameters of a type meet in it. */
export function argumentName(code: string): string {
  return code.replaceAll('-', '_');
}

/** The search parameter behind a GraphQL argument or a `_reference` value, or undefined. */
export function parameterOfArgument(type: string, argument: string): SearchParameter | undefined {
  return searchParameters(type).find(({ code }) => argumentName(code) === argument);
}

/** A client may send `constructor` where a type is meant. */
function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
