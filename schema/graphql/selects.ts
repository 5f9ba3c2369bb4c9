import {
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  Kind,
  type GraphQLResolveInfo,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** Returns false for what `@skip` or `@include` leaves out. @param variables coerced values */
export function isIncluded(selection: SelectionNode, variables: Readonly<Record<string, unknown>>): boolean {
  if (!selection.directives?.length) return true;
  const skip = getDirectiveValues(GraphQLSkipDirective, selection, variables);
  const include = getDirectiveValues(GraphQLIncludeDirective, selection, variables);
  return skip?.['if'] !== true && include?.['if'] !== false;
}

/** Returns true when the selection of an object has one of these fields, also in fragments, that no condition leaves out. */
export function selects(
  {
    fieldNodes,
    fragments,
    variableValues,
  }: Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments' | 'variableValues'>,
  names: readonly string[],
): boolean {
  const found = (set: SelectionSetNode | undefined): boolean =>
    set?.selections.some((selection) => {
      if (!isIncluded(selection, variableValues)) return false;
      if (selection.kind === Kind.FIELD) return names.includes(selection.name.value);
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments[selection.name.value] : selection;
      return found(fragment?.selectionSet);
    }) ?? false;
  return fieldNodes.some(({ selectionSet }) => found(selectionSet));
}
