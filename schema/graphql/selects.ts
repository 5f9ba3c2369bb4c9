import { Kind, type GraphQLResolveInfo, type SelectionSetNode } from 'graphql';

/** Returns true when the selection of an object names one of these fields, also in fragments and under conditions. */
export function selects(
  { fieldNodes, fragments }: Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>,
  names: readonly string[],
): boolean {
  const found = (set: SelectionSetNode | undefined): boolean =>
    set?.selections.some((selection) => {
      if (selection.kind === Kind.FIELD) return names.includes(selection.name.value);
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments[selection.name.value] : selection;
      return found(fragment?.selectionSet);
    }) ?? false;
  return fieldNodes.some(({ selectionSet }) => found(selectionSet));
}
