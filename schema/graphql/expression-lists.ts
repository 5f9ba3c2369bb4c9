import type { DocumentNode, FieldDefinitionNode, GraphQLFieldResolver } from 'graphql';
import { GraphQLError, Kind } from 'graphql';
import type { ItemSelector } from '../expressions/item-selector.ts';
import { Fault } from '../fault/fault.ts';
import { requirePageSize } from '../fhir/search/paging.ts';
import { itemsOfPage, type ListArguments, type RequestContext } from './datatype-resolvers.ts';
import { faultsAsErrors, fieldMember } from './graphql-fault.ts';

/** `ConditionList`, `PatientConnection`: lists of resources, not of elements. */
const RESOURCE_LIST = /^([A-Z]\w*?)(List|Connection)$/;

type Resolver<Context> = GraphQLFieldResolver<unknown, Context, ListArguments>;

/** Keeps the resources for which the expression is true. */
type Choose = (resources: readonly unknown[]) => Promise<unknown[]>;

interface Connection {
  /** Undefined where only facets are selected. */
  edges?: readonly { resource: unknown }[];
}

/**
 * Adds `fhirpath` to the resolvers of lists of resources that declare it (FHIR R4 §3.2.0.4, "Searching resources"; FG-4).
 * Of the resources that the other arguments find, those stay for which the expression is true. In a list, `_count` and
 * `_offset` choose among these. A connection applies the expression to each of its pages.
 * @param sdl the subgraph's SDL
 * @param resolvers is changed
 */
export function addExpressionLists<Context extends RequestContext>(
  sdl: DocumentNode,
  resolvers: Record<string, object>,
  selector: Pick<ItemSelector, 'select'>,
): void {
  for (const definition of sdl.definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION) continue;
    const fields = resolvers[definition.name.value] as Record<string, Resolver<Context>> | undefined;
    for (const field of definition.fields ?? []) {
      const name = field.name.value;
      const [, type, form] = RESOURCE_LIST.exec(name) ?? [];
      const resolve = fields?.[name];
      if (!type || !resolve || !takesExpression(field)) continue;
      const chosen = form === 'List' ? chosenList(type, resolve) : chosenPage(resolve);
      fields[name] = withExpression(
        resolve,
        chosen,
        (expression, request) => (resources) => selector.select(resources, expression, type, request),
      );
    }
  }
}

const takesExpression = ({ arguments: declared }: FieldDefinitionNode): boolean =>
  declared?.some(({ name }) => name.value === 'fhirpath') ?? false;

function withExpression<Context extends RequestContext>(
  plain: Resolver<Context>,
  chosen: (choose: Choose) => Resolver<Context>,
  chooser: (expression: string, request: object) => Choose,
): Resolver<Context> {
  return (...[source, args, context, info]) => {
    const { fhirpath, ...others } = args;
    if (fhirpath === undefined || fhirpath === null) return plain(source, args, context, info);
    const resolve = chosen(chooser(fhirpath, context.request ?? context));
    return faultsAsErrors(resolve)(source, others, context, info);
  };
}

function chosenList<Context>(type: string, resolve: Resolver<Context>) {
  return (choose: Choose): Resolver<Context> =>
    async (...[source, { _count, _offset, ...search }, context, info]) => {
      if (typeof _count === 'number') requirePageSize(type, _count);
      try {
        const found = (await resolve(source, search, context, info)) as readonly unknown[];
        return itemsOfPage(await choose(found), { _count, _offset });
      } catch (error) {
        throw isTooLarge(error) ? tooManyToChoose(type) : error;
      }
    };
}

function chosenPage<Context>(resolve: Resolver<Context>) {
  return (choose: Choose): Resolver<Context> =>
    async (...[source, search, context, info]) => {
      const page = (await resolve(source, search, context, info)) as Connection;
      const kept = new Set(await choose((page.edges ?? []).map(({ resource }) => resource)));
      const edges = page.edges?.filter(({ resource }) => kept.has(resource));
      return { ...page, edges, facets: refuseFacets };
    };
}

/** Facets count what the search finds, without looking at the resources. */
const refuseFacets = fieldMember(() => {
  throw new Fault('invalid_request', 'facets do not take fhirpath into account. Leave out one of them.');
});

const isTooLarge = (error: unknown): boolean =>
  error instanceof GraphQLError && error.extensions['code'] === 'too_large';

/** With an expression, `_count` does not make the search smaller. */
const tooManyToChoose = (type: string) =>
  new Fault(
    'too_large',
    `Too many ${type} resources match before fhirpath is evaluated. Add search parameters, or ask for pages with ${type}Connection.`,
  );
