import type { FieldNode, SelectionNode, SelectionSetNode } from 'graphql';
import { Kind, print } from 'graphql';
import { graphqlType } from '../../../schema/fhir/tables.ts';

const CONDITIONS: ReadonlySet<string> = new Set(['include', 'skip']);

/**
 * Joins the `resource(type: …)` fields of a reference that have the same name in the answer and ask for different types:
 * GraphQL would refuse them, because their arguments differ (§5.3.2). They become one `resource` with a fragment for each
 * type. Fields that differ in more than the type stay as they are.
 */
export function mergeTypedResources(set: SelectionSetNode): SelectionSetNode {
  const groups = new Map<string, FieldNode[]>();
  for (const node of set.selections) {
    if (typeOf(node) === undefined) continue;
    const field = node as FieldNode;
    const key = keyOf(field);
    groups.set(key, [...(groups.get(key) ?? []), field]);
  }
  const merged = new Map<SelectionNode, SelectionNode[]>();
  for (const fields of groups.values()) {
    if (new Set(fields.map(typeOf)).size < 2) continue;
    for (const [index, field] of fields.entries()) merged.set(field, index === 0 ? [joined(fields)] : []);
  }
  if (merged.size === 0) return set;
  return { ...set, selections: set.selections.flatMap((node) => merged.get(node) ?? [node]) };
}

/** Returns the type in `resource(type: Patient) { … }`; undefined for any other selection. */
function typeOf(node: SelectionNode): string | undefined {
  if (node.kind !== Kind.FIELD || node.name.value !== 'resource' || !node.selectionSet) return undefined;
  const value = node.arguments?.find(({ name }) => name.value === 'type')?.value;
  return value?.kind === Kind.ENUM ? value.value : undefined;
}

/** Returns all of a field that must be equal in fields that are joined. */
function keyOf({ name, alias, arguments: given = [], directives = [] }: FieldNode): string {
  const others = given.filter((argument) => argument.name.value !== 'type');
  const rules = directives.filter((directive) => !CONDITIONS.has(directive.name.value));
  return [(alias ?? name).value, ...[...others, ...rules].map(print).sort()].join(' ');
}

function joined(fields: readonly FieldNode[]): FieldNode {
  const [first] = fields as [FieldNode];
  return {
    ...first,
    arguments: (first.arguments ?? []).filter(({ name }) => name.value !== 'type'),
    directives: (first.directives ?? []).filter(({ name }) => !CONDITIONS.has(name.value)),
    selectionSet: {
      kind: Kind.SELECTION_SET,
      selections: fields.map((field) => ({
        kind: Kind.INLINE_FRAGMENT as const,
        typeCondition: {
          kind: Kind.NAMED_TYPE,
          name: { kind: Kind.NAME, value: graphqlType(typeOf(field)!) },
        },
        directives: (field.directives ?? []).filter(({ name }) => CONDITIONS.has(name.value)),
        selectionSet: field.selectionSet!,
      })),
    },
  };
}
