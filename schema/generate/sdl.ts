import type { Field, SearchParameter } from '../fhir/tables.ts';
import { primitiveScalars, type DescribedField, type ElementType } from './elements.ts';
import { directiveOfField } from './field-scopes.ts';
import { reverseFieldParameters } from './resources.ts';

/** One object type before it is printed as SDL; contributions add fields and directives to it. */
export interface ObjectType {
  name: string;
  description?: string | undefined;
  directives: string[];
  /** Complete field definitions with their descriptions. */
  fields: string[];
}

/** FHIR's Subscription would become the root type of GraphQL subscriptions (FG-5). */
export const renamedTypes: Readonly<Record<string, string>> = { Subscription: 'SubscriptionResource' };

/** Returns the GraphQL name of a FHIR type. */
export function graphqlName(type: string): string {
  return renamedTypes[type] ?? type;
}

/** Name of the union of all resources in both subgraphs. */
export const resourceUnion = 'ResourceUnion';

const paging = ['_count: Int', '_offset: Int'];
/** The arguments of every list besides its search parameters; `searchingDescription` explains them. */
const searching = [
  '_filter: String',
  'fhirpath: String',
  ...['_chain', '_has', '_sort'].map(parameterArgument),
  ...paging,
];

/** Explains the arguments of lists once, on Query: on each of a thousand fields it would double the schema. */
export const searchingDescription =
  'Arguments of lists and connections, all of which must match. Values of one argument are alternatives; values with the prefixes ' +
  'ge, gt, le, lt, sa, eb or ne bound one range: date: ["ge2026-01-01", "le2026-12-31"]. _filter joins comparisons: ' +
  '"category eq laboratory and date ge 2026". _chain: ["subject:Patient.name=peter"]. _has: ["Observation:patient:code=1234-5"]. ' +
  '_list: ["42"], the resources that a List names. _sort: ["-date"]. fhirpath: an expression that must be true. _count, _offset and, for connections, _cursor choose a page';

/** Returns the GraphQL object type of a FHIR type, without directives. */
export function objectType(
  type: ElementType,
  types: ReadonlyMap<string, ElementType>,
  isResource: boolean,
): ObjectType {
  const fields = type.fields.flatMap((field) => fieldDefinitions(field, types, isResource));
  if (type.name === 'Reference') fields.push(referenceResource);
  return { name: graphqlName(type.name), description: type.description, directives: [], fields };
}

/** Field that resolves a reference (FHIR, "Using GraphQL", section "Resolving references"). */
const referenceResource =
  described(
    'The resource that is referred to; nothing where `type` is another type. `optional` leaves out the error of a reference that cannot be resolved',
  ) + `resource(type: ResourceType, optional: Boolean): ${resourceUnion}`;

function fieldDefinitions(
  field: DescribedField,
  types: ReadonlyMap<string, ElementType>,
  isResource: boolean,
): string[] {
  const { name, kind, list, description } = field;
  if (name === 'id') return [described(description) + (isResource ? 'id: ID' : 'id: String')];
  const named =
    kind === 'resource' ? resourceUnion : (primitiveScalars[field.type] ?? graphqlName(field.type));
  if (kind !== 'primitive') {
    const args = list && kind !== 'resource' ? listArguments(types.get(field.type)) : [];
    const type = !list ? named : kind === 'resource' ? `[${named}]` : `[${named}!]`;
    return [`${described(description)}${name}${argumentList(args)}: ${type}`];
  }
  const value = `${described(description)}${name}: ${list ? `[${named}]` : named}`;
  if (name === 'resourceType' || field.type === 'xhtml') return [value];
  return [value, `_${name}: ${list ? '[Element]' : 'Element'}`];
}

/** Returns the arguments of a list of complex items: those of FHIR, and filters by equal codes and strings. */
function listArguments(item: ElementType | undefined): string[] {
  const filters = (item?.fields ?? [])
    .filter(isFilter)
    .map(({ name, type }) => `${name}: ${type === 'code' ? 'code' : 'String'}`);
  return [...paging, 'fhirpath: String', ...filters];
}

const filterTypes = new Set(['canonical', 'code', 'id', 'oid', 'string', 'uri', 'url']);

/** Returns true when a list takes an argument for this field of its items. */
function isFilter({ name, list, type, choice }: Field): boolean {
  return name !== 'id' && !list && choice === undefined && filterTypes.has(type);
}

/** Returns the fields `X(id)`, `XList` and `XConnection` of Query for a resource type. */
export function rootFields(resource: string, parameters: readonly SearchParameter[]): string[] {
  const args = [
    ...parameters.map(({ code }) => parameterArgument(code)),
    parameterArgument('_list'),
    ...searching,
  ];
  return [
    `${described(`Reads one ${resource} by its id`)}${resource}(id: ID!): ${graphqlName(resource)}`,
    ...listAndConnection(resource, args, 'Searches'),
  ];
}

/** Returns the fields `XList` and `XConnection` of a resource type that X refers to. */
export function reverseFields(
  source: string,
  target: string,
  parameters: readonly SearchParameter[],
): string[] {
  const args = parameters
    .filter(({ code }) => reverseFieldParameters.includes(code))
    .map(({ code }) => parameterArgument(code));
  const reference = `_reference: ${referenceEnum(source, target)}`;
  return listAndConnection(source, [reference, ...args, ...searching]);
}

function listAndConnection(resource: string, args: string[], verb?: string): string[] {
  const [list, page] = verb ? [`${verb} ${resource}`, `${verb} ${resource}, a page at a time`] : [];
  return [
    `${described(list)}${resource}List${argumentList(args)}: [${graphqlName(resource)}]`,
    `${described(page)}${resource}Connection${argumentList([...args, '_cursor: ID'])}: ${resource}Connection`,
  ];
}

/** Returns the name of the `_reference` enum for reverse fields of `target` with resources of `source` (FG-16). */
export function referenceEnum(source: string, target: string): string {
  return `${source}Referencing${target}`;
}

/** The type of a counted value, in both subgraphs. */
export const facetType: ObjectType = {
  name: 'Facet',
  description: 'A value, and how many of the resources that match have it',
  directives: ['@shareable'],
  fields: [
    `${described('The code; null in the last entry, for the values that are left out')}value: String`,
    `${described('The system of the code')}system: String`,
    `${described('The display of the code in the first resource that has it')}display: String`,
    `${described('How many resources have the value; one with several values is counted at each')}count: Int!`,
    `${described('How many values are left out; only in the last entry')}others: Int`,
  ],
};

/** Returns the name of the enum of the facets of a resource. */
export const facetEnum = (resource: string): string => `${resource}Facet`;

/**
 * Returns the two page types of a resource: `XConnection` and `XEdge`.
 * @param hasFacets true when the enum `facetEnum` exists
 */
export function connectionTypes(resource: string, hasFacets: boolean): ObjectType[] {
  const facets = `${described('The values of all that match, the most frequent first')}facets(
  ${described('The element whose values are counted').trim()}
  by: ${facetEnum(resource)}!
  ${described('The largest number of values: 100, at most 1,000. Those that are left out are the last entry').trim()}
  _count: Int
): [Facet!]`;
  return [
    {
      name: `${resource}Connection`,
      description: `A page of ${resource} resources`,
      directives: [],
      fields: [
        `${described('How many match in all, where the source says')}count: Int`,
        `${described('Where this page starts')}offset: Int`,
        `${described('How many a page holds')}pagesize: Int`,
        ...['first', 'previous', 'next', 'last'].map(
          (page) => `${described(`_cursor of the ${page} page`)}${page}: ID`,
        ),
        `edges: [${resource}Edge!]`,
        ...(hasFacets ? [facets] : []),
      ],
    },
    {
      name: `${resource}Edge`,
      description: `A match of a search for ${resource}`,
      directives: [],
      fields: [
        `${described('match | include | outcome')}mode: String`,
        `${described('Rank between 0 and 1, where the source ranks')}score: decimal`,
        `resource: ${graphqlName(resource)}`,
      ],
    },
  ];
}

function parameterArgument(code: string): string {
  return `${code.replaceAll('-', '_')}: [String!]`;
}

function argumentList(args: readonly string[]): string {
  return args.length === 0 ? '' : `(${args.join(', ')})`;
}

/** Returns a description as a line with a GraphQL string, whose escapes are those of JSON; empty without a description. */
function described(text: string | undefined): string {
  return text ? `${JSON.stringify(text.replace(/\s+/g, ' ').trim())}\n` : '';
}

/** The description and the name at the beginning of a field's definition. */
const FIELD_NAME = /^(?:"""[^]*?"""|"(?:[^"\\]|\\.)*")?\s*(\w+)/;

/** Prints an object type as SDL, each field with the scopes that it needs. */
export function printObjectType({ name, description, directives, fields }: ObjectType): string {
  const head = ['type', name, ...directives].join(' ');
  const body = fields.map((definition) => {
    const [, field = ''] = FIELD_NAME.exec(definition) ?? [];
    const scopes = directiveOfField({ parent: name, field });
    return (scopes ? `${definition} ${scopes}` : definition).replace(/^/gm, '  ');
  });
  return `${described(description)}${head} {\n${body.join('\n')}\n}\n`;
}

/** Prints an enum as SDL. */
export function printEnum(name: string, values: readonly string[], description?: string): string {
  return `${described(description)}enum ${name} {\n${values.map((value) => `  ${value}\n`).join('')}}\n`;
}
