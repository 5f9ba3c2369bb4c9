import type {
  DocumentNode,
  FieldNode,
  GraphQLCompositeType,
  GraphQLNamedType,
  GraphQLOutputType,
  GraphQLSchema,
  SelectionSetNode,
} from 'graphql';
import {
  getDirectiveValues,
  getNamedType,
  getNullableType,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  isCompositeType,
  isListType,
  Kind,
} from 'graphql';
import { fragmentsOf } from '../fragments.ts';

/** A leaf of a selection: a scalar, a list of scalars, or a list of objects. Its path names the answer's members. */
export type Leaf = readonly string[];

interface Selected {
  schema: GraphQLSchema;
  document: DocumentNode;
  /** Values of the variables, with defaults. */
  variables: Readonly<Record<string, unknown>>;
}

/**
 * Returns the leaves of a selection in its order, each once. They depend on the request alone, never on data.
 * @param set a valid selection: its fragments are unfolded
 * @param type the type that the selection is of
 */
export function leavesOf(selected: Selected, set: SelectionSetNode, type: GraphQLNamedType): Leaf[] {
  const { schema, document, variables } = selected;
  const fragments = fragmentsOf(document);
  const leaves = new Map<string, Leaf>();

  const addField = (field: FieldNode, parent: GraphQLNamedType | undefined, path: Leaf): void => {
    const inner = [...path, (field.alias ?? field.name).value];
    const fieldType = typeOf(parent, field.name.value);
    const isObject = fieldType && isCompositeType(getNamedType(fieldType)) && !isList(fieldType);
    if (isObject) addAll(field.selectionSet!, getNamedType(fieldType), inner);
    else leaves.set(inner.join('.'), inner);
  };
  const addAll = (among: SelectionSetNode, parent: GraphQLNamedType | undefined, path: Leaf): void => {
    for (const selection of among.selections) {
      if (!isIncluded(selection, variables)) continue;
      if (selection.kind === Kind.FIELD) {
        addField(selection, parent, path);
        continue;
      }
      const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
      const fragment = isSpread ? fragments.get(selection.name.value)! : selection;
      const condition = fragment.typeCondition?.name.value;
      addAll(fragment.selectionSet, condition ? schema.getType(condition) : parent, path);
    }
  };
  addAll(set, type, []);
  return [...leaves.values()];
}

/** Returns false for what `@skip` or `@include` leaves out. */
function isIncluded(
  selection: Parameters<typeof getDirectiveValues>[1],
  variables: Readonly<Record<string, unknown>>,
): boolean {
  const skip = getDirectiveValues(GraphQLSkipDirective, selection, variables);
  const include = getDirectiveValues(GraphQLIncludeDirective, selection, variables);
  return skip?.['if'] !== true && include?.['if'] !== false;
}

function typeOf(parent: GraphQLNamedType | undefined, field: string): GraphQLOutputType | undefined {
  return parent && 'getFields' in parent
    ? (parent as Extract<GraphQLCompositeType, { getFields(): unknown }>).getFields()[field]?.type
    : undefined;
}

const isList = (type: GraphQLOutputType): boolean => isListType(getNullableType(type));
