import type { GraphQLSchema } from 'graphql';
import { isObjectType, valueFromASTUntyped, type ConstDirectiveNode } from 'graphql';
import type { ServiceName } from '../request/service-name.ts';
import type { Crossing, Resolver } from './compiled.ts';

/** The field by which both subgraphs know an entity (`@key`). */
export const KEY = 'id';
/** Begins the names under which a fetch also asks for what a step needs. */
export const ADDED = '__step_';

export type SubgraphSchemas = Readonly<Record<ServiceName, GraphQLSchema>>;

/** A field as the SDL of a subgraph declares it. */
interface DeclaredField {
  astNode?: { directives?: readonly ConstDirectiveNode[] | undefined } | null | undefined;
}

const directive = ({ astNode }: DeclaredField, name: string): ConstDirectiveNode | undefined =>
  astNode?.directives?.find((one) => one.name.value === name);

/** Returns the field of a type if this subgraph resolves it: only another one does where it is `@external`. */
export function declaredField(schema: GraphQLSchema, typeName: string, fieldName: string) {
  const type = schema.getType(typeName);
  const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
  return field && !directive(field, 'external') ? field : undefined;
}

/** Returns the field of a type if this subgraph resolves it without fields of another one (`@requires`). */
export function ownField(schema: GraphQLSchema, typeName: string, fieldName: string) {
  const field = declaredField(schema, typeName, fieldName);
  return field && !directive(field, 'requires') ? field : undefined;
}

const keyOf = (source: object): unknown => (source as Record<string, unknown>)[KEY];

/**
 * Returns the step to the subgraph that has a field, from an object of another one.
 * @returns undefined where no step is needed: the subgraph is in this process, and resolves the field from any object with
 *   the key
 */
export function crossingTo(
  service: ServiceName,
  around: { subgraphs: SubgraphSchemas; from: ServiceName; type: string; field: string; isRemote: boolean },
): Crossing | undefined {
  const { subgraphs, from, type, field, isRemote } = around;
  const target = subgraphs[service].getType(type);
  const { apollo } = (target?.extensions ?? {}) as {
    apollo?: { subgraph?: { resolveReference?: Crossing['resolveReference'] } };
  };
  const resolveReference = apollo?.subgraph?.resolveReference;
  const declared = isObjectType(target) ? target.getFields()[field] : undefined;
  const requires = declared && directive(declared, 'requires');
  if (!resolveReference && !requires && !isRemote) return undefined;
  const names = requires ? String(valueFromASTUntyped(requires.arguments![0]!.value)).split(' ') : [];
  const required = names.map((name) => ({
    name,
    resolve: ownField(subgraphs[from], type, name)?.resolve as Resolver | undefined,
  }));
  return { type, from, service, required, via: undefined, keyOf, resolveReference };
}

/** Returns a text that is equal for equal steps. */
export const textOfCrossing = ({ type, from, service, required, via }: Crossing): string =>
  [type, from, service, ...required.map(({ name }) => name), via ? textOfCrossing(via) : ''].join(' ');
