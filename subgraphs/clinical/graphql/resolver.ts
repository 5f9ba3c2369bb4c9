import type { GraphQLFieldResolver } from 'graphql';
import type { RequestContext } from '../../../schema/graphql/datatype-resolvers.ts';
import { faultsAsErrors } from '../../../schema/graphql/graphql-fault.ts';
import type { Clinical } from '../record/clinical.ts';

/** The GraphQL context of one request. */
export interface ClinicalContext extends RequestContext {
  clinical: Clinical;
}

export type Args = Record<string, unknown>;
export type Resolver = GraphQLFieldResolver<never, ClinicalContext, never>;
export type Fields = Record<string, Resolver>;

/** Wraps a function as a resolver: it gets the record of the request, and its faults become GraphQL errors. */
export function resolver<Source, A = Args>(
  resolve: (source: Source, args: A, clinical: Clinical) => unknown,
): Resolver {
  return faultsAsErrors<Source, ClinicalContext, A>((source, args, { clinical }) =>
    resolve(source, args, clinical),
  ) as unknown as Resolver;
}
