import type { FieldNode, GraphQLNamedType, GraphQLSchema, SelectionSetNode } from 'graphql';
import { getNamedType, isCompositeType, isObjectType, Kind, type DocumentNode } from 'graphql';
import type { OperationDefinitionNode } from 'graphql';
import { fragmentsOf } from './fragments.ts';
import type { ServiceName } from './local-data-source.ts';

export type SubgraphSchemas = Readonly<Record<ServiceName, GraphQLSchema>>;

/** The subgraph that resolves each field of an operation. */
export type FieldOwners = ReadonlyMap<FieldNode, ServiceName>;

/** A field as the SDL of a subgraph declares it. */
interface DeclaredField {
  astNode?: { directives?: readonly { name: { value: string } }[] | undefined } | null | undefined;
}

/** Tells if another subgraph has the field (`@external`), or the field needs others of it (`@requires`). */
function dependsOnOther({ astNode }: DeclaredField): boolean {
  return (
    astNode?.directives?.some(({ name: { value } }) => value === 'external' || value === 'requires') ?? false
  );
}

/** Returns the field of a type if this subgraph can resolve it without another one. */
export function ownField(schema: GraphQLSchema, typeName: string, fieldName: string) {
  const type = schema.getType(typeName);
  const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
  return field && !dependsOnOther(field) ? field : undefined;
}

/**
 * Finds the subgraph of every field of an operation: that of the object around it, or the other one if it resolves the
 * type by its key alone.
 * @param schema the API schema, which clients see
 * @returns undefined for an operation that has to be planned: it introspects, requires fields, reads an entity by its
 * reference, or evaluates expressions
 */
export function fieldOwners(
  schema: GraphQLSchema,
  subgraphs: SubgraphSchemas,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): FieldOwners | undefined {
  const fragments = fragmentsOf(document);
  const owners = new Map<FieldNode, ServiceName>();
  const names = Object.keys(subgraphs) as ServiceName[];

  const ownerOf = (type: string, field: string, from: ServiceName | undefined): ServiceName | undefined => {
    if (from !== undefined && ownField(subgraphs[from], type, field)) return from;
    return names.find(
      (name) =>
        name !== from &&
        ownField(subgraphs[name], type, field) !== undefined &&
        (from === undefined || !resolvesReferences(subgraphs[name].getType(type))),
    );
  };

  const fieldIsOwned = (node: FieldNode, type: GraphQLNamedType, from: ServiceName | undefined): boolean => {
    const name = node.name.value;
    if (name === '__typename') return true;
    // A caller's expressions share one time budget for the request: they must be evaluated only once.
    if (node.arguments?.some((argument) => argument.name.value === 'fhirpath')) return false;
    const field = isObjectType(type) ? type.getFields()[name] : undefined;
    const owner = field && ownerOf(type.name, name, from);
    if (!owner || (owners.get(node) ?? owner) !== owner) return false;
    owners.set(node, owner);
    return !node.selectionSet || isOwned(node.selectionSet, getNamedType(field.type), owner);
  };

  const isOwned = (
    set: SelectionSetNode,
    type: GraphQLNamedType | undefined,
    from: ServiceName | undefined,
  ): boolean =>
    isCompositeType(type) &&
    set.selections.every((selection) => {
      if (selection.kind === Kind.FIELD) return fieldIsOwned(selection, type, from);
      const fragment =
        selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      const condition = fragment?.typeCondition?.name.value;
      const inner = condition === undefined ? type : schema.getType(condition);
      return fragment !== undefined && isOwned(fragment.selectionSet, inner, from);
    });

  const root = schema.getQueryType();
  return root && isOwned(operation.selectionSet, root, undefined) ? owners : undefined;
}

/** Tells if a subgraph looks up entities of a type by key; if not, the key is all it needs to resolve their fields. */
function resolvesReferences(type: GraphQLNamedType | undefined): boolean {
  const { apollo } = (type?.extensions ?? {}) as {
    apollo?: { subgraph?: { resolveReference?: unknown } };
  };
  return apollo?.subgraph?.resolveReference !== undefined;
}
