import type {
  ASTVisitor,
  DocumentNode,
  FragmentDefinitionNode,
  GraphQLCompositeType,
  GraphQLField,
  GraphQLSchema,
  OperationDefinitionNode,
  SelectionSetNode,
  ValidationContext,
} from 'graphql';
import {
  getNamedType,
  GraphQLError,
  isCompositeType,
  isObjectType,
  Kind,
  valueFromASTUntyped,
} from 'graphql';

/** What one GraphQL request may ask for (FG-12). */
export interface Limits {
  /** Bytes of a request's body. */
  body: number;
  /** Lexical tokens of the document. */
  tokens: number;
  /** Fields within fields, fragments unfolded. */
  depth: number;
  /** Aliased fields, fragments unfolded. */
  aliases: number;
  /** Fields of the operation itself. */
  rootFields: number;
  /** Directives, fragments unfolded. */
  directives: number;
  /** Fields in the answer at most, as `operationCost` estimates them. */
  cost: number;
  /** Seconds from the first byte to the last. */
  seconds: number;
}

/** A list of 1,000 resources with hundreds of fields each fits; a thousand patients with full nested lists do not. */
export const DEFAULT_LIMITS: Limits = {
  body: 256 * 1024,
  tokens: 8000,
  depth: 30,
  aliases: 100,
  rootFields: 30,
  directives: 100,
  cost: 500_000,
  seconds: 60,
};

interface Size {
  depth: number;
  aliases: number;
  directives: number;
}

/** A validation rule that measures each operation with its fragments unfolded. */
export function documentLimits(limits: Limits): (context: ValidationContext) => ASTVisitor {
  return (context) => ({
    OperationDefinition(operation) {
      const size = sizeOf(operation, (name) => context.getFragment(name) ?? undefined);
      const measured: [number, number, string][] = [
        [size.depth, limits.depth, 'levels'],
        [size.aliases, limits.aliases, 'aliases'],
        [size.directives, limits.directives, 'directives'],
        [rootFieldsOf(operation.selectionSet, context), limits.rootFields, 'root fields'],
      ];
      for (const [count, limit, what] of measured) {
        if (count <= limit) continue;
        context.reportError(
          new GraphQLError(`The request has more than ${limit} ${what}.`, { nodes: operation }),
        );
      }
    },
  });
}

function sizeOf(
  operation: OperationDefinitionNode,
  fragment: (name: string) => FragmentDefinitionNode | undefined,
): Size {
  const fragments = new Map<string, Size>();
  const add = (a: Size, b: Size): Size => ({
    depth: Math.max(a.depth, b.depth),
    aliases: a.aliases + b.aliases,
    directives: a.directives + b.directives,
  });
  const ofSet = (set: SelectionSetNode | undefined): Size =>
    (set?.selections ?? []).reduce<Size>((sum, selection) => {
      const directives = selection.directives?.length ?? 0;
      if (selection.kind === Kind.FIELD) {
        const inner = ofSet(selection.selectionSet);
        const aliases = inner.aliases + (selection.alias ? 1 : 0);
        return add(sum, { depth: inner.depth + 1, aliases, directives: inner.directives + directives });
      }
      const inner =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? ofFragment(selection.name.value)
          : ofSet(selection.selectionSet);
      return add(sum, { ...inner, directives: inner.directives + directives });
    }, NOTHING);
  const ofFragment = (name: string): Size => {
    const known = fragments.get(name);
    if (known) return known;
    // A fragment within itself is another rule's finding; here it only must not run for ever.
    fragments.set(name, NOTHING);
    const size = ofSet(fragment(name)?.selectionSet);
    fragments.set(name, size);
    return size;
  };
  return add(ofSet(operation.selectionSet), { ...NOTHING, directives: operation.directives?.length ?? 0 });
}

const NOTHING: Size = { depth: 0, aliases: 0, directives: 0 };

function rootFieldsOf(
  set: SelectionSetNode,
  context: Pick<ValidationContext, 'getFragment'>,
  within: ReadonlySet<string> = new Set(),
): number {
  return set.selections.reduce((count, selection) => {
    if (selection.kind === Kind.FIELD) return count + 1;
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      return count + rootFieldsOf(selection.selectionSet, context, within);
    }
    const name = selection.name.value;
    const fragment = within.has(name) ? undefined : context.getFragment(name);
    return count + (fragment ? rootFieldsOf(fragment.selectionSet, context, new Set([...within, name])) : 0);
  }, 0);
}

/** How many resources a list is taken to hold where the request does not say; less within another list. */
const USUAL_LIST = 100;
const USUAL_INNER_LIST = 10;
/** `ConditionList`, `PatientConnection`: lists of resources. Lists inside a resource are short and count once. */
const RESOURCE_LIST = /^[A-Z]\w*(List|Connection)$/;

/**
 * How many fields the answer may hold: each field once, times `_count` for every list of resources around it (where the
 * request does not say: 100, and 10 for a list within a list).
 */
export function operationCost(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): number {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const known = new Map<string, number>();

  const ofSet = (
    set: SelectionSetNode | undefined,
    parent: GraphQLCompositeType | undefined,
    inner: boolean,
  ): number =>
    (set?.selections ?? []).reduce((sum, selection) => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return sum + ofFragment(selection.name.value, inner);
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        return (
          sum +
          ofSet(selection.selectionSet, condition ? composite(schema.getType(condition)) : parent, inner)
        );
      }
      const name = selection.name.value;
      const field = parent && 'getFields' in parent ? parent.getFields()[name] : undefined;
      const type = field ? composite(getNamedType(field.type)) : undefined;
      const isList = field !== undefined && RESOURCE_LIST.test(name);
      const within = ofSet(selection.selectionSet, type, inner || isList);
      if (!isList) return sum + 1 + within;
      const count = selection.arguments?.find(({ name }) => name.value === '_count');
      const asked = count ? valueFromASTUntyped(count.value, { ...variables }) : undefined;
      return sum + 1 + within * listSize(field, asked, inner);
    }, 0);
  const ofFragment = (name: string, inner: boolean): number => {
    const key = `${name} ${inner}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    known.set(key, 0);
    const fragment = fragments.get(name);
    const type = fragment && composite(schema.getType(fragment.typeCondition.name.value));
    const cost = ofSet(fragment?.selectionSet, type, inner);
    known.set(key, cost);
    return cost;
  };
  return ofSet(operation.selectionSet, schema.getRootType(operation.operation) ?? undefined, false);
}

function listSize(field: GraphQLField<unknown, unknown>, asked: unknown, inner: boolean): number {
  if (!field.args.some(({ name }) => name === '_count')) return 1;
  return typeof asked === 'number' && asked >= 0 ? asked : inner ? USUAL_INNER_LIST : USUAL_LIST;
}

function composite(type: unknown): GraphQLCompositeType | undefined {
  return isObjectType(type) || isCompositeType(type) ? type : undefined;
}
