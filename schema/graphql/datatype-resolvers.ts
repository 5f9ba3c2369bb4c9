import type { Reference, Resource } from 'fhir/r4.js';
import { Kind, type DocumentNode, type GraphQLFieldResolver } from 'graphql';
import { containedTarget } from '../fhir/contained.ts';
import type { ItemSelector } from '../expressions/item-selector.ts';
import { Fault } from '../fault/fault.ts';
import { faultsAsErrors } from './graphql-fault.ts';
import { pure } from './pure.ts';
import { fieldsOf, graphqlType, isResourceType, tables } from '../fhir/tables.ts';

/** A member of `ResourceUnion`: a resource, or the type and id of an entity of the other subgraph. */
export type UnionMember = Resource | { __typename: string; id: string };

/**
 * Resolves a reference that is not local.
 * @param type the wanted type; a reference that names another type is not resolved
 * @returns undefined when the reference is not literal
 * @throws Fault when the target cannot be read
 */
export type ResolveReference<Context> = (
  reference: Reference,
  context: Context,
  type?: string,
) => Promise<UnionMember | undefined> | UnionMember | undefined;

/** The part of the GraphQL context that the resolvers read. */
export interface RequestContext {
  /** Identifies the request: all its `fhirpath` arguments share one time limit. By default each execution is a request. */
  request?: object;
}

type FieldResolvers<Context> = Record<string, GraphQLFieldResolver<never, Context>>;

/** Resolvers by type and field, as `buildSubgraphSchema` takes them. */
export type DatatypeResolvers<Context> = Record<
  string,
  FieldResolvers<Context> | { __resolveType(value: UnionMember): string | undefined }
>;

/**
 * Returns the resolvers that read FHIR JSON (FG-3, FG-4), the same in both subgraphs: for lists of complex items with
 * `_count`, `_offset`, `fhirpath` and filters, contained resources, references, and the union of resources. All other
 * fields, such as `_birthDate` and `valueQuantity`, are properties of the same name and need no resolver.
 * @param sdl the subgraph's SDL, whose types get resolvers
 */
export function datatypeResolvers<Context extends RequestContext>(
  sdl: DocumentNode,
  resolveReference: ResolveReference<Context>,
  selector: ItemSelector,
): DatatypeResolvers<Context> {
  const fhirTypes = new Map(Object.keys(tables.types).map((type) => [graphqlType(type), type]));
  const resolvers: DatatypeResolvers<Context> = {};
  for (const definition of sdl.definitions) {
    const type = definition.kind === Kind.OBJECT_TYPE_DEFINITION && fhirTypes.get(definition.name.value);
    if (!type) continue;
    const fields: FieldResolvers<Context> = {};
    for (const { name, kind, list, type: itemType } of fieldsOf(type)) {
      if (kind === 'resource' && list) fields[name] = containedResolver(name);
      else if (kind !== 'primitive' && list) fields[name] = listResolver(name, itemType, selector);
    }
    if (type === 'Reference') fields['resource'] = referenceResolver(resolveReference);
    if (Object.keys(fields).length > 0) resolvers[graphqlType(type)] = fields;
  }
  resolvers['ResourceUnion'] = {
    __resolveType: (value: UnionMember) =>
      '__typename' in value ? value.__typename : graphqlType(value.resourceType),
  };
  return resolvers;
}

/** Arguments of a list; all other names are filters. */
export interface ListArguments {
  _count?: number | null;
  _offset?: number | null;
  fhirpath?: string | null;
  [filter: string]: unknown;
}

function listResolver<Context extends RequestContext>(
  name: string,
  type: string,
  selector: ItemSelector,
): GraphQLFieldResolver<never, Context> {
  const resolve = (source: Record<string, unknown>, args: ListArguments, context: Context): unknown => {
    const value = source[name];
    if (value === undefined || value === null) return value;
    const all: unknown[] = Array.isArray(value) ? value : [value];
    // The same list where it can be: its text may be kept with it.
    const items = all.includes(null) ? all.filter((item) => item !== null) : all;
    const { _count, _offset, fhirpath: expression, ...filters } = args;
    // In the order of the FHIR specification: filter, then FHIRPath, then offset and count.
    const found = filtered(items, filters);
    if (expression === undefined || expression === null) return itemsOfPage(found, args);
    return selector
      .select(found, expression, type, context.request ?? context)
      .then((selected) => itemsOfPage(selected, args));
  };
  return faultsAsErrors(pure(resolve)) as GraphQLFieldResolver<never, Context>;
}

function filtered(items: unknown[], filters: Record<string, unknown>): unknown[] {
  return Object.entries(filters).reduce(
    (found, [field, wanted]) =>
      wanted === undefined || wanted === null
        ? found
        : found.filter((item) => (item as Record<string, unknown>)[field] === wanted),
    items,
  );
}

/** Returns the items that `_count` and `_offset` ask for. @throws Fault `invalid_request` for a negative number */
export function itemsOfPage(
  items: unknown[],
  { _count, _offset }: Pick<ListArguments, '_count' | '_offset'>,
): unknown[] {
  for (const [field, value] of [['_count', _count] as const, ['_offset', _offset] as const]) {
    if (value !== undefined && value !== null && value < 0) {
      throw new Fault('invalid_request', `${field} must not be negative.`);
    }
  }
  const start = _offset ?? 0;
  return start > 0 || (_count !== undefined && _count !== null)
    ? items.slice(start, _count === undefined || _count === null ? undefined : start + _count)
    : items;
}

/** Resolves contained resources; null for types that the graph does not have. */
function containedResolver<Context>(name: string): GraphQLFieldResolver<never, Context> {
  return pure((source: Record<string, unknown>) => {
    const value = source[name];
    if (!Array.isArray(value)) return value;
    return value.map((item: Resource | null) => (item && isResourceType(item.resourceType) ? item : null));
  });
}

function referenceResolver<Context>(
  resolveReference: ResolveReference<Context>,
): GraphQLFieldResolver<Reference, Context, { type?: string | null; optional?: boolean | null }> {
  return faultsAsErrors(async (reference, { type, optional }, context) => {
    try {
      const { reference: literal } = reference as { reference?: unknown };
      if (literal !== undefined && typeof literal !== 'string') throw unresolved();
      if (literal?.startsWith('#')) {
        const target = containedTarget(reference);
        if (!target || !isResourceType(target.resourceType)) throw unresolved();
        return type && target.resourceType !== type ? null : target;
      }
      return (await resolveReference(reference, context, type ?? undefined)) ?? null;
    } catch (error) {
      if (optional) return null;
      throw error;
    }
  });
}

/** Returns the fault of a reference whose target cannot be read. */
export function unresolved(): Fault {
  return new Fault('not_found', 'The reference cannot be resolved.');
}
