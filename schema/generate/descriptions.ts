import type { GraphQLArgument, GraphQLField, GraphQLNamedType, GraphQLSchema } from 'graphql';
import { getNamedType, isEnumType, isInterfaceType, isObjectType } from 'graphql';
import { LARGEST_PAGE } from '../fhir/search/paging.ts';
import type { Tables } from '../fhir/tables.ts';
import { scopeLine } from './field-scopes.ts';
import { RESOURCE_LIST } from './resources.ts';

/** Arguments that mean the same everywhere. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  _count: 'The largest number of items',
  _offset: 'The number of items to leave out at the start',
  _cursor: 'A page: first, previous, next or last of another page. Leave out all other arguments',
  _filter: 'Comparisons, all of which must match: "category eq laboratory and date ge 2026"',
  _sort: 'Search parameters to sort by, "-" before one for descending order: ["-date"]',
  _chain: 'Parameters of resources that are referred to: ["subject:Patient.name=peter"]',
  _has: 'Parameters of resources that refer to these: ["Observation:patient:code=1234-5"]',
  _list: 'Ids of Lists: only resources that they name',
  _reference:
    'The search parameter by which they refer to this resource. It may be left out where only one fits',
  fhirpath: 'A FHIRPath expression that must be true for an item: "rank = 1"',
  id: 'The id of the resource',
  type: 'Only a resource of this type; null for another',
  optional: 'True: null without an error when the reference cannot be resolved',
};

/** `_count` of a list of resources. */
const OF_LIST = `The largest number of items, at most ${LARGEST_PAGE}`;

/**
 * Describes what the subgraphs leave undescribed, so that the schema needs no manual: arguments, reverse references,
 * extensions of primitives, enums, and the scopes of fields (FG-27). They are only in the schema for clients: in the subgraphs and the supergraph they
 * would double the work of composing and planning.
 * @param schema is changed
 */
export function describeSchema(schema: GraphQLSchema, { searchParameters }: Tables): void {
  const parameters = new Map(
    Object.entries(searchParameters).map(([type, list]) => [
      type,
      new Map(list.map(({ code, description }) => [code.replaceAll('-', '_'), description])),
    ]),
  );
  const describeField = (field: GraphQLField<unknown, unknown>, parent: GraphQLNamedType): void => {
    field.description ||= ofField(field, parent.name);
    field.description = [field.description, scopeLine({ parent: parent.name, field: field.name })]
      .filter(Boolean)
      .join('\n');
    const [, resource = ''] = RESOURCE_LIST.exec(field.name) ?? [];
    const isOfElements = !resource && field.args.some(({ name }) => name === 'fhirpath');
    for (const argument of field.args) {
      if (resource && argument.name === '_count') argument.description ||= OF_LIST;
      argument.description ||=
        parameters.get(resource)?.get(argument.name) ?? ofArgument(argument, isOfElements);
    }
  };
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    if (isEnumType(type)) describeEnum(type, parameters);
    if (!isObjectType(type) && !isInterfaceType(type)) continue;
    for (const field of Object.values(type.getFields())) describeField(field, type);
  }
}

function ofField({ name, type }: GraphQLField<unknown, unknown>, parent: string): string | undefined {
  if (name.startsWith('_')) return `Extensions and id of ${name.slice(1)}`;
  const [, resource, form] = RESOURCE_LIST.exec(name) ?? [];
  if (resource) {
    return `${resource} resources that refer to this ${parent}${form === 'List' ? '' : ', a page at a time'}`;
  }
  if (name === 'edges') return 'The matches on this page';
  return name === 'resource' ? `The ${getNamedType(type).name} that matches` : undefined;
}

/** @param isOfElements true at a list of elements, whose arguments choose among the items */
function ofArgument({ name }: GraphQLArgument, isOfElements: boolean): string | undefined {
  const isFilter = isOfElements && !name.startsWith('_') && name !== 'fhirpath';
  return isFilter ? `Only items with this ${name}` : ARGUMENTS[name];
}

type Enum = Extract<GraphQLNamedType, { getValues(): unknown }>;

function describeEnum(type: Enum, parameters: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
  const [, source, target] = /^(\w+?)Referencing(\w+)$/.exec(type.name) ?? [];
  if (source === undefined) return;
  type.description ||= `The search parameters of ${source} that refer to a ${target}`;
  for (const value of type.getValues()) value.description ||= parameters.get(source)?.get(value.name);
}
