import type { GraphQLFieldResolver } from 'graphql';
import type { RequestContext } from '../../../schema/graphql/datatype-resolvers.ts';
import { faultsAsErrors, fieldMember, type PartialContext } from '../../../schema/graphql/graphql-fault.ts';
import { facetLimit } from '../../../schema/fhir/facets.ts';
import { parameterOfArgument } from '../../../schema/fhir/tables.ts';
import type { Args } from '../../../schema/fhir/search/search-arguments.ts';
import { selects } from '../../../schema/graphql/selects.ts';
import type { Clinical } from '../record/clinical.ts';
import type { Page } from '../record/page.ts';
import type { Search } from '../record/search.ts';
import { searchOf } from './search-arguments.ts';

/** The GraphQL context of one request. */
export interface ClinicalContext extends RequestContext, PartialContext {
  clinical: Clinical;
}

export type Resolver = GraphQLFieldResolver<never, ClinicalContext, never>;
export type Fields = Record<string, Resolver>;

/** Wraps a function as a resolver: it gets the record of the request, and its faults become GraphQL errors. */
export function resolver<Source, A = Args>(
  resolve: (source: Source, args: A, clinical: Clinical) => unknown,
): Resolver {
  return faultsAsErrors<Source, ClinicalContext, A>((source, args, { clinical }) =>
    resolve(source, args, clinical),
  ) as Resolver;
}

/** Fields of a connection that need its page. */
const PAGE_FIELDS = ['count', 'offset', 'pagesize', 'first', 'previous', 'next', 'last', 'edges'];

/** Returns the field `facets` of a connection. */
function facetsOf(type: string, search: Search) {
  return fieldMember<Args, ClinicalContext>((args, { clinical }) =>
    clinical.facets(type, search, {
      code: parameterOfArgument(type, String(args['by']))!.code,
      limit: facetLimit(args['_count']),
    }),
  );
}

/**
 * Makes the resolver of a connection.
 * @param pageOf returns the page of a search. It has a total only where `count` or `last` is selected: counting may take
 * a source long. It is not called where only facets are selected
 * @param searchAlone returns the search for all that the connection has
 */
export function connectionResolver<Source>(
  type: string,
  pageOf: (search: Search, source: Source, request: { args: Args; clinical: Clinical }) => Promise<Page>,
  searchAlone: (search: Search, source: Source, args: Args) => Search = (search) => search,
): Resolver {
  return (...[source, args, context, info]: Parameters<Resolver>) => {
    const isCounted = selects(info, [['count', 'last']]);
    const hasPage = selects(info, [PAGE_FIELDS]);
    const pageResolver = resolver<Source>(async (parent, args, clinical) => {
      const search: Search = { ...searchOf(type, args), ...(isCounted && { total: 'accurate' }) };
      const facets = facetsOf(type, searchAlone(search, parent, args));
      if (!hasPage) return { facets };
      const { resources, applied: _, ...page } = await pageOf(search, parent, { args, clinical });
      return { ...page, facets, edges: resources.map((resource) => ({ mode: 'match', resource })) };
    });
    return pageResolver(source, args, context, info);
  };
}
