import type {
  ArgumentNode,
  DocumentNode,
  FieldNode,
  GraphQLAbstractType,
  GraphQLCompositeType,
  GraphQLField,
  GraphQLNamedType,
  GraphQLObjectType,
  GraphQLSchema,
  InlineFragmentNode,
  SelectionNode,
  SelectionSetNode,
  ValueNode,
} from 'graphql';
import {
  getNamedType,
  isAbstractType,
  isCompositeType,
  isInterfaceType,
  isLeafType,
  isObjectType,
  Kind,
} from 'graphql';
import { Fault } from '../../../schema/fault/fault.ts';
import { fieldsOf, graphqlType } from '../../../schema/fhir/tables.ts';
import type { Limits } from '../document/limits.ts';
import { mergeTypedResources } from './typed-resources.ts';

/** Limit of the fields that are compared or copied: a selection on any resource is tried on each type. */
const MOST_STEPS = 50_000;

/**
 * Rewrites what the FHIR GraphQL specification lets a client write, although the schema cannot say it, into the form of
 * the schema. Validation, limits and authorization then see only that form.
 *
 * - `resource(type: Patient) { birthDate }` becomes `resource(type: Patient) { ... on Patient { birthDate } }`.
 * - `resource { active }` becomes a fragment for each type of resource with this field, to which the reference may point.
 * - Several `resource(type: …)` of one reference become one `resource` with a fragment for each type.
 * - Bare words as text, `Patient(id: example)` and `_id: [1, example]`, become strings.
 * - `Patient(_id: example)` becomes `Patient(id: example)`.
 *
 * A field that fits no type stays, and validation refuses it.
 * @returns the same document when there is nothing to rewrite
 * @throws Fault `invalid_request` when it would take too long, or become too many fragments
 */
export function inSchemaForm(
  document: DocumentNode,
  schema: GraphQLSchema,
  limits: Pick<Limits, 'resources'>,
): DocumentNode {
  return new Rewriter(schema, limits.resources).document(document);
}

/** The types of resources that a reference may have. */
interface Targets {
  types: readonly GraphQLObjectType[];
  /** True when the client asks for this type. */
  isAsked: boolean;
}

class Rewriter {
  readonly #schema: GraphQLSchema;
  readonly #mostFragments: number;
  #steps = 0;
  #fragments = 0;

  constructor(schema: GraphQLSchema, mostFragments: number) {
    this.#schema = schema;
    this.#mostFragments = mostFragments;
  }

  document(document: DocumentNode): DocumentNode {
    const definitions = changed(document.definitions, (definition) => {
      if (definition.kind === Kind.OPERATION_DEFINITION) {
        return this.#within(definition, this.#schema.getRootType(definition.operation));
      }
      if (definition.kind !== Kind.FRAGMENT_DEFINITION) return definition;
      return this.#within(definition, this.#schema.getType(definition.typeCondition.name.value));
    });
    return definitions === document.definitions ? document : { ...document, definitions };
  }

  /** @param targets the types of a reference that is selected, or of its resource; undefined for any */
  #within<Node extends { selectionSet?: SelectionSetNode | undefined }>(
    node: Node,
    type: GraphQLNamedType | null | undefined,
    targets?: Targets,
  ): Node {
    if (!node.selectionSet || !isCompositeType(type)) return node;
    const selectionSet = this.#set(node.selectionSet, type, targets);
    return selectionSet === node.selectionSet ? node : { ...node, selectionSet };
  }

  #set(set: SelectionSetNode, type: GraphQLCompositeType, targets?: Targets): SelectionSetNode {
    const merged = type.name === 'Reference' ? mergeTypedResources(set) : set;
    const typed = isAbstractType(type) ? this.#onTypes(merged, type, targets) : merged;
    const selections = changed(typed.selections, (selection) => this.#selection(selection, type, targets));
    return selections === set.selections ? set : { ...set, selections };
  }

  #selection(selection: SelectionNode, type: GraphQLCompositeType, targets?: Targets): SelectionNode {
    this.#step();
    if (selection.kind === Kind.FRAGMENT_SPREAD) return selection;
    if (selection.kind === Kind.INLINE_FRAGMENT) {
      const condition = selection.typeCondition?.name.value;
      if (condition === undefined) return this.#within(selection, type, targets);
      return this.#within(selection, this.#schema.getType(condition));
    }
    const field = fieldOf(type, selection.name.value);
    if (!field) return selection;
    const given =
      selection.arguments && changed(selection.arguments, (argument) => asText(asId(argument, field), field));
    const node = given === selection.arguments ? selection : { ...selection, arguments: given };
    const inner = getNamedType(field.type);
    if (inner.name === 'Reference') return this.#within(node, inner, this.#targetsOf(type, field.name));
    if (!isAbstractType(inner)) return this.#within(node, inner);
    const possible = type.name === 'Reference' ? targets : undefined;
    return this.#within(node, inner, this.#askedType(selection) ?? possible);
  }

  /** Moves the fields of a selection on any resource into a fragment for each type that has them. */
  #onTypes(set: SelectionSetNode, type: GraphQLAbstractType, targets: Targets | undefined): SelectionSetNode {
    const isLoose = (node: SelectionNode): node is FieldNode =>
      node.kind === Kind.FIELD && node.name.value !== '__typename' && !fieldOf(type, node.name.value);
    const loose = set.selections.filter(isLoose);
    if (loose.length === 0) return set;
    const types = targets?.types ?? this.#schema.getPossibleTypes(type);
    const fitting = types.map((one) => ({
      name: one.name,
      fields: targets?.isAsked ? loose : loose.filter((field) => this.#fits(field, one)),
    }));
    const moved = new Set(fitting.flatMap(({ fields }) => fields));
    const fragments = fitting
      .filter(({ fields }) => fields.length > 0)
      .map(({ name, fields }) => fragmentOn(name, fields));
    this.#fragments += fragments.length;
    if (this.#fragments > this.#mostFragments) throw tooManyTypes();
    const first = set.selections.findIndex((node) => moved.has(node as FieldNode));
    return {
      ...set,
      selections: set.selections.flatMap((node, index) =>
        index === first ? fragments : moved.has(node as FieldNode) ? [] : [node],
      ),
    };
  }

  /** Tells if a type has a field, and the type of the field those within. */
  #fits(node: FieldNode, parent: GraphQLNamedType): boolean {
    this.#step();
    const field = fieldOf(parent, node.name.value);
    if (!field) return false;
    const type = getNamedType(field.type);
    if (!node.selectionSet) return isLeafType(type);
    if (!isCompositeType(type)) return false;
    return node.selectionSet.selections.every(
      (inner) =>
        inner.kind !== Kind.FIELD ||
        inner.name.value === '__typename' ||
        isAbstractType(type) ||
        this.#fits(inner, type),
    );
  }

  /** Returns the type in `resource(type: Patient)`; undefined when there is none or a variable has it. */
  #askedType({ arguments: given = [] }: FieldNode): Targets | undefined {
    const value = given.find(({ name }) => name.value === 'type')?.value;
    const type = value?.kind === Kind.ENUM && this.#schema.getType(graphqlType(value.value));
    return isObjectType(type) ? { types: [type], isAsked: true } : undefined;
  }

  /** Returns the types to which a reference may point by its definition; undefined for any. */
  #targetsOf(parent: GraphQLNamedType, name: string): Targets | undefined {
    const targets = fieldsOf(parent.name).find((field) => field.name === name)?.targets;
    const types = targets?.map((target) => this.#schema.getType(graphqlType(target)));
    return types && { types: types.filter(isObjectType), isAsked: false };
  }

  #step(): void {
    if (++this.#steps > MOST_STEPS) throw tooManyTypes();
  }
}

const tooManyTypes = () =>
  new Fault(
    'invalid_request',
    'The document selects too many fields of any type of resource. Name the type: resource(type: Patient) { … }.',
  );

function fieldOf(type: GraphQLNamedType, name: string): GraphQLField<unknown, unknown> | undefined {
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
}

function fragmentOn(type: string, selections: readonly SelectionNode[]): InlineFragmentNode {
  return {
    kind: Kind.INLINE_FRAGMENT,
    typeCondition: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: type } },
    selectionSet: { kind: Kind.SELECTION_SET, selections },
  };
}

/** The text of FHIR after R4 writes `Patient(_id: example)`. */
function asId(argument: ArgumentNode, { args }: GraphQLField<unknown, unknown>): ArgumentNode {
  const has = (name: string) => args.some((one) => one.name === name);
  if (argument.name.value !== '_id' || has('_id') || !has('id')) return argument;
  return { ...argument, name: { ...argument.name, value: 'id' } };
}

function asText(argument: ArgumentNode, field: GraphQLField<unknown, unknown>): ArgumentNode {
  const declared = field.args.find(({ name }) => name === argument.name.value);
  const type = declared && getNamedType(declared.type).name;
  if (type !== 'String' && type !== 'ID') return argument;
  const value = textValue(argument.value);
  return value === argument.value ? argument : { ...argument, value };
}

const BARE: ReadonlySet<string> = new Set([Kind.ENUM, Kind.INT, Kind.FLOAT, Kind.BOOLEAN]);

function textValue(node: ValueNode): ValueNode {
  if (node.kind === Kind.LIST) {
    const values = changed(node.values, textValue);
    return values === node.values ? node : { ...node, values };
  }
  if (!BARE.has(node.kind) || !('value' in node)) return node;
  return { kind: Kind.STRING, value: String(node.value) };
}

/** Maps a list; returns the same list when nothing is changed. */
function changed<T>(list: readonly T[], map: (item: T) => T): readonly T[] {
  const mapped = list.map(map);
  return mapped.some((item, index) => item !== list[index]) ? mapped : list;
}
