import type { GraphQLFieldResolver } from 'graphql';

const PURE = Symbol('pure');
type AnyResolver = GraphQLFieldResolver<never, never, never>;

/**
 * Marks a resolver whose value depends on nothing but its object and its arguments, `fhirpath` apart: neither on the caller
 * nor on the time. What is written of a frozen object by such resolvers may be kept with it.
 */
export function pure<Resolver extends (...args: never[]) => unknown>(resolver: Resolver): Resolver {
  return Object.assign(resolver, { [PURE]: true });
}

export const isPure = (resolver: AnyResolver): boolean => PURE in resolver;

/** Marks a resolver that does nothing but call another one, if that is marked. */
export const pureIf = <Resolver extends (...args: never[]) => unknown>(
  inner: (...args: never[]) => unknown,
  resolver: Resolver,
): Resolver => (PURE in inner ? pure(resolver) : resolver);
