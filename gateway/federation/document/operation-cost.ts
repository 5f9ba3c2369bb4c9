import type {
  FieldNode,
  GraphQLCompositeType,
  GraphQLField,
  OperationDefinitionNode,
  SelectionSetNode,
} from 'graphql';
import { getNamedType, isCompositeType, Kind, valueFromASTUntyped } from 'graphql';
import { Fault } from '../../../schema/fault/fault.ts';
import { LARGEST_PAGE } from '../../../schema/fhir/search/paging.ts';
import type { Limits } from './limits.ts';
import type { AskedOperation } from './asked-operation.ts';
import { fragmentsOf } from './fragments.ts';

/** Assumed resources of a list when the request does not give `_count`; fewer within another list. */
const USUAL_LIST = 100;
const USUAL_INNER_LIST = 10;
/** `ConditionList`, `PatientConnection`, `timeline`: lists of resources. Most lists inside a resource are short and count once. */
export const RESOURCE_LIST = /^([A-Z]\w*(List|Connection)|timeline)$/;
/** Types whose lists are long: a study may have hundreds of series and of instances. */
const LONG_LIST_OF = /^ImagingStudySeries(Instance)?$/;

/**
 * Refuses an operation whose answer could hold more fields than the limit (FG-12).
 * @throws Fault `invalid_request`
 */
export function requireAffordable(asked: AskedOperation, { cost: most }: Pick<Limits, 'cost'>): void {
  const cost = operationCost(asked);
  if (cost <= most) return;
  const message = `The answer could hold ${cost} fields, more than ${most}: ask for less with _count.`;
  throw new Fault('invalid_request', message);
}

/** Takes the part of the cost that a field has, with all fields in it. @param path response names */
export type TakePart = (path: readonly string[], cost: number, field: FieldNode) => void;

/** The surroundings of a selection. */
interface Around {
  /** True within a list. */
  inner: boolean;
  /** Number of times that the selection may be in the answer. */
  times: number;
  path: readonly string[];
}

/**
 * Estimates how many fields the answer may hold: each field once, times `_count` (of the largest page at most) for every list of resources, series or
 * instances around it (without `_count`: 100, and 10 for a list within a list or a study).
 * @param takePart is called for each field, the inner ones first
 */
export function operationCost(
  { schema, document, operation, variables }: AskedOperation,
  takePart?: TakePart,
): number {
  const fragments = fragmentsOf(document);
  const known = new Map<string, number>();
  const values = { ...defaultsOf(operation), ...variables };

  const ofSet = (
    set: SelectionSetNode | undefined,
    parent: GraphQLCompositeType | undefined,
    around: Around,
  ): number =>
    (set?.selections ?? []).reduce((sum, selection) => {
      if (selection.kind === Kind.FIELD) return sum + ofField(selection, parent, around);
      if (selection.kind === Kind.FRAGMENT_SPREAD) return sum + ofFragment(selection.name.value, around);
      const condition = selection.typeCondition?.name.value;
      const type = condition ? composite(schema.getType(condition)) : parent;
      return sum + ofSet(selection.selectionSet, type, around);
    }, 0);
  const ofField = (
    selection: FieldNode,
    parent: GraphQLCompositeType | undefined,
    around: Around,
  ): number => {
    const name = selection.name.value;
    const field = parent && 'getFields' in parent ? parent.getFields()[name] : undefined;
    const type = field ? composite(getNamedType(field.type)) : undefined;
    const isPart = LONG_LIST_OF.test(type?.name ?? '');
    const isList = field !== undefined && (isPart || RESOURCE_LIST.test(name));
    const count = isList ? selection.arguments?.find(({ name }) => name.value === '_count') : undefined;
    const asked = count ? valueFromASTUntyped(count.value, values) : undefined;
    const size = isList ? listSize(field, asked, around.inner || isPart) : 1;
    const path = takePart ? [...around.path, selection.alias?.value ?? name] : around.path;
    const within = { inner: around.inner || isList, times: around.times * size, path };
    const cost = 1 + size * ofSet(selection.selectionSet, type, within);
    takePart?.(path, around.times * cost, selection);
    return cost;
  };
  const ofFragment = (name: string, around: Around): number => {
    const key = `${name} ${around.inner}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    // A fragment that contains itself ends here.
    known.set(key, 0);
    const fragment = fragments.get(name);
    const type = fragment && composite(schema.getType(fragment.typeCondition.name.value));
    const cost = ofSet(fragment?.selectionSet, type, around);
    // Each use has parts of its own.
    if (takePart) known.delete(key);
    else known.set(key, cost);
    return cost;
  };
  const root = schema.getRootType(operation.operation) ?? undefined;
  return ofSet(operation.selectionSet, root, { inner: false, times: 1, path: [] });
}

/** Returns the default values of an operation's variables. */
export function defaultsOf({ variableDefinitions = [] }: OperationDefinitionNode): Record<string, unknown> {
  return Object.fromEntries(
    variableDefinitions.flatMap(({ variable, defaultValue }) =>
      defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)]] : [],
    ),
  );
}

function listSize(field: GraphQLField<unknown, unknown>, asked: unknown, inner: boolean): number {
  if (!field.args.some(({ name }) => name === '_count')) return 1;
  if (typeof asked === 'number' && asked >= 0)
    return RESOURCE_LIST.test(field.name) ? Math.min(asked, LARGEST_PAGE) : asked;
  return inner ? USUAL_INNER_LIST : USUAL_LIST;
}

function composite(type: unknown): GraphQLCompositeType | undefined {
  return isCompositeType(type) ? type : undefined;
}
