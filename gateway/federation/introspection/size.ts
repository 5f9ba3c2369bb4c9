import type { SelectionSetNode } from 'graphql';
import {
  getNamedType,
  isObjectType,
  Kind,
  SchemaMetaFieldDef,
  TypeMetaFieldDef,
  valueFromASTUntyped,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
} from 'graphql';
import type { AskedOperation } from '../document/asked-operation.ts';
import { fragmentsOf } from '../document/fragments.ts';

/**
 * Counts the fields of the answer in and below `__schema` and `__type`. It walks the schema, because lists within lists
 * multiply. The operation must be valid.
 * @param asked with the defaults of its variables
 * @param most the limit at which counting ends
 */
export function introspectionSize(
  { schema, document, operation, variables }: AskedOperation,
  most: number,
): number {
  const fragments = fragmentsOf(document);
  const info = { schema } as GraphQLResolveInfo;
  let size = 0;

  /** @param type an introspection type, whose fields have resolvers; undefined for the root of the operation */
  const count = (set: SelectionSetNode, type: GraphQLObjectType | undefined, source: unknown): void => {
    for (const selection of set.selections) {
      if (size > most) return;
      if (selection.kind !== Kind.FIELD) {
        const fragment =
          selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
        if (fragment) count(fragment.selectionSet, type, source);
        continue;
      }
      const field = type ? type.getFields()[selection.name.value] : META_FIELDS.get(selection.name.value);
      if (type || field) size++;
      const inner = field && getNamedType(field.type);
      if (!selection.selectionSet || !isObjectType(inner)) continue;
      const name = selection.arguments?.find((argument) => argument.name.value === 'name');
      const given = {
        includeDeprecated: true,
        ...(name && { name: valueFromASTUntyped(name.value, variables) }),
      };
      const found = field!.resolve!(source, given, undefined, info) as unknown;
      for (const item of [found].flat()) {
        if (item !== undefined && item !== null) count(selection.selectionSet, inner, item);
      }
    }
  };
  count(operation.selectionSet, undefined, undefined);
  return size;
}

const META_FIELDS = new Map([SchemaMetaFieldDef, TypeMetaFieldDef].map((field) => [field.name, field]));
