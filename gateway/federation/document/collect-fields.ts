import type {
  FieldNode,
  FragmentSpreadNode,
  GraphQLObjectType,
  GraphQLSchema,
  InlineFragmentNode,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import { getDirectiveValues, isAbstractType, Kind } from 'graphql';
import { isIncluded } from '../../../schema/graphql/selects.ts';
import type { Fragments } from './fragments.ts';

export interface CollectedFrom {
  schema: GraphQLSchema;
  fragments: Fragments;
  /** Values of the variables, of which conditions are read. */
  variables: Readonly<Record<string, unknown>>;
  /** False where the caller wants all at once: `@defer` then changes nothing. */
  defers: boolean;
}

export interface Collected {
  /** By the names in the answer. */
  fields: ReadonlyMap<string, readonly FieldNode[]>;
  deferred: readonly { label: string | undefined; set: SelectionSetNode }[];
}

/** Returns the selected fields of an object type (GraphQL §6.3.2, CollectFields), and its fragments that come later. */
export function collectFields(
  from: CollectedFrom,
  type: GraphQLObjectType,
  sets: readonly SelectionSetNode[],
): Collected {
  const { fragments, schema, defers } = from;
  const fields = new Map<string, FieldNode[]>();
  const deferred: { label: string | undefined; set: SelectionSetNode }[] = [];
  const spread = new Set<string>();

  const addFragment = (selection: FragmentSpreadNode | InlineFragmentNode): void => {
    const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
    if (isSpread && spread.has(selection.name.value)) return;
    const fragment = isSpread ? fragments.get(selection.name.value)! : selection;
    const condition = fragment.typeCondition && schema.getType(fragment.typeCondition.name.value);
    const isOfType =
      !condition || condition === type || (isAbstractType(condition) && schema.isSubType(condition, type));
    if (!isOfType) return;
    const defer = defers ? deferOf(selection, from) : undefined;
    if (defer) {
      deferred.push({ label: defer.label, set: fragment.selectionSet });
      return;
    }
    if (isSpread) spread.add(selection.name.value);
    collect(fragment.selectionSet);
  };
  const collect = (set: SelectionSetNode): void => {
    for (const selection of set.selections) {
      if (!isIncluded(selection, from.variables)) continue;
      if (selection.kind !== Kind.FIELD) {
        addFragment(selection);
        continue;
      }
      const name = (selection.alias ?? selection.name).value;
      const before = fields.get(name);
      if (before) before.push(selection);
      else fields.set(name, [selection]);
    }
  };
  sets.forEach(collect);
  return { fields, deferred };
}

/** Returns `@defer` of a fragment, unless its condition is false. */
function deferOf(
  selection: SelectionNode,
  { schema, variables }: CollectedFrom,
): { label: string | undefined } | undefined {
  const directive = schema.getDirective('defer');
  const defer = directive && getDirectiveValues(directive, selection, variables);
  if (!defer || defer['if'] === false) return undefined;
  return { label: typeof defer['label'] === 'string' ? defer['label'] : undefined };
}
