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

/**
 * Returns true when the selection of an object has one of these fields, also in fragments, that no condition leaves out.
 * @param levels names of fields; then of fields of these, and so on
 * @param except fragments that do not count
 */
export function selects(
  {
    fieldNodes,
    fragments,
    variableValues,
  }: Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments' | 'variableValues'>,
  levels: readonly (readonly string[])[],
  except: (fragment: SelectionNode) => boolean = () => false,
): boolean {
  const found = (set: SelectionSetNode | undefined, level: number): boolean =>
    set?.selections.some((selection) => {
      if (!isIncluded(selection, variableValues)) return false;
      if (selection.kind === Kind.FIELD) {
        if (!levels[level]!.includes(selection.name.value)) return false;
        return level === levels.length - 1 || found(selection.selectionSet, level + 1);
      }
      if (except(selection)) return false;
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments[selection.name.value] : selection;
      return found(fragment?.selectionSet, level);
    }) ?? false;
  return fieldNodes.some(({ selectionSet }) => found(selectionSet, 0));
}

/** Returns true for a fragment that may come later (`@defer`), whatever its condition. */
export const mayBeDeferred = ({ directives }: SelectionNode): boolean =>
  directives?.some(({ name }) => name.value === 'defer') ?? false;
