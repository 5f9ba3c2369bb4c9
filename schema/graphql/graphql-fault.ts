import type { GraphQLFieldResolver, GraphQLResolveInfo } from 'graphql';
import { GraphQLError, responsePathAsArray } from 'graphql';
import { faultExtensions, toFault, type Fault } from '../fault/fault.ts';
import { pureIf } from './pure.ts';

/**
 * Converts anything thrown to a GraphQL error. Its `extensions` say the same as the other APIs (FG-10, SM-12).
 * @param path of the field, when its resolver did not throw the error
 */
export function toGraphqlError(error: unknown, path?: readonly (string | number)[]): GraphQLError {
  if (error instanceof GraphQLError) return error;
  const fault = toFault(error);
  const extensions = faultExtensions(fault);
  return new GraphQLError(fault.message, { originalError: fault, extensions, ...(path && { path }) });
}

/** The context of an execution that collects the errors of fields that are given only in part (DW-18). */
export interface PartialContext {
  /** The executor adds them to the answer; undefined where nobody does. */
  partial?: GraphQLError[];
}

/** Reports the faults of the parts that are missing in a field. */
export function reportPartial(
  { partial }: PartialContext,
  { path }: Pick<GraphQLResolveInfo, 'path'>,
  faults: readonly Fault[],
): void {
  partial?.push(...faults.map((fault) => toGraphqlError(fault, responsePathAsArray(path))));
}

/**
 * Returns the faults of a list of which a part is missing.
 * @throws the first one for an empty list: it is not known whether there is nothing
 */
export function failedIn(list: readonly unknown[], failed: readonly Fault[]): readonly Fault[] {
  if (list.length === 0 && failed[0]) throw failed[0];
  return failed;
}

/** Wraps a resolver: its faults, thrown or rejected, become GraphQL errors. */
export function faultsAsErrors<Source, Context, Args>(
  resolver: GraphQLFieldResolver<Source, Context, Args>,
): GraphQLFieldResolver<Source, Context, Args> {
  return pureIf(resolver, (source, args, context, info) => {
    try {
      const result = resolver(source, args, context, info);
      return result instanceof Promise ? result.catch(rethrow) : result;
    } catch (error) {
      return rethrow(error);
    }
  });
}

/** Makes a member of an object that resolves the field of its name: graphql-js calls it with the field's arguments. */
export function fieldMember<Args, Context>(resolve: (args: Args, context: Context) => unknown) {
  const guarded = faultsAsErrors<undefined, Context, Args>((_, args, context) => resolve(args, context));
  return (args: Args, context: Context, info: GraphQLResolveInfo) => guarded(undefined, args, context, info);
}

function rethrow(error: unknown): never {
  throw toGraphqlError(error);
}
