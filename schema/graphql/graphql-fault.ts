import type { GraphQLFieldResolver } from 'graphql';
import { GraphQLError } from 'graphql';
import { faultExtensions, toFault } from '../fault/fault.ts';

/**
 * What anyone threw, as a GraphQL error whose `extensions` say the same as the other faces (FG-10, SM-12).
 * @param path of the field, where the error is not thrown by it
 */
export function toGraphqlError(error: unknown, path?: readonly (string | number)[]): GraphQLError {
  if (error instanceof GraphQLError) return error;
  const fault = toFault(error);
  const extensions = faultExtensions(fault);
  return new GraphQLError(fault.message, { originalError: fault, extensions, ...(path && { path }) });
}

/** A resolver whose faults, thrown or rejected, become GraphQL errors. */
export function faultsAsErrors<Source, Context, Args>(
  resolver: GraphQLFieldResolver<Source, Context, Args>,
): GraphQLFieldResolver<Source, Context, Args> {
  return (source, args, context, info) => {
    try {
      const result = resolver(source, args, context, info);
      return result instanceof Promise ? result.catch(rethrow) : result;
    } catch (error) {
      return rethrow(error);
    }
  };
}

function rethrow(error: unknown): never {
  throw toGraphqlError(error);
}
