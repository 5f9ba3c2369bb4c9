import type {
  DirectiveNode,
  DocumentNode,
  FieldNode,
  GraphQLNamedType,
  GraphQLSchema,
  SelectionNode,
  SelectionSetNode,
} from 'graphql';
import { getNamedType, isAbstractType, isInterfaceType, isLeafType, isObjectType, Kind } from 'graphql';
import { Fault } from '../../../schema/fault/fault.ts';
import { elementsOf, type SliceExpression } from './slice-expression.ts';

/** The data flattening directives of a field (FHIR R4 §3.2.0.6, "Data Flattening Directives"; FG-26). */
export interface DataDirectives {
  flatten: boolean;
  first: boolean;
  singleton: boolean;
  slice?: Slice;
}

/** The source of the suffix that `@slice` gives an item: its position, or a value that the answer has under another name. */
export type Slice = 'index' | { alias: string; path: readonly string[] };

/** A document whose answer is rearranged. */
export interface FlattenedDocument {
  /** The document that is executed: without the directives, with the fields that rearranging needs besides. */
  executed: DocumentNode;
  /** The directives of the fields of the original document. */
  directives: ReadonlyMap<FieldNode, DataDirectives>;
  /** Names of the fields that were added, by their names in the answer. */
  hidden: ReadonlyMap<string, string>;
  /** The paths of `@slice` that have to be evaluated. */
  expressions: readonly SliceExpression[];
}

const NAMES: ReadonlySet<string> = new Set(['flatten', 'first', 'singleton', 'slice']);

/**
 * Takes the data flattening directives from a document. They are not part of the schema: GraphQL clients could not know
 * the shape of the answer.
 * @param most limit of the directives
 * @returns undefined when the document has none
 * @throws Fault `invalid_request` for a directive that cannot be applied
 */
export function takeDataDirectives(
  document: DocumentNode,
  schema: GraphQLSchema,
  most: number,
): FlattenedDocument | undefined {
  const reader = new DirectiveReader(document, schema, most);
  const executed = reader.read();
  const { directives, hidden, expressions } = reader;
  return directives.size > 0 ? { executed, directives, hidden, expressions } : undefined;
}

class DirectiveReader {
  readonly directives = new Map<FieldNode, DataDirectives>();
  readonly hidden = new Map<string, string>();
  readonly expressions: SliceExpression[] = [];
  readonly #document: DocumentNode;
  readonly #schema: GraphQLSchema;
  readonly #most: number;
  #count = 0;
  #text: string | undefined;

  constructor(document: DocumentNode, schema: GraphQLSchema, most: number) {
    this.#document = document;
    this.#schema = schema;
    this.#most = most;
  }

  read(): DocumentNode {
    const definitions = this.#document.definitions.map((definition) => {
      if (definition.kind === Kind.OPERATION_DEFINITION) {
        refuseIn(definition.directives);
        for (const { directives } of definition.variableDefinitions ?? []) refuseIn(directives);
        const type = this.#schema.getRootType(definition.operation) ?? undefined;
        return { ...definition, selectionSet: this.#set(definition.selectionSet, type) };
      }
      if (definition.kind !== Kind.FRAGMENT_DEFINITION) return definition;
      refuseIn(definition.directives);
      const type = this.#schema.getType(definition.typeCondition.name.value);
      return { ...definition, selectionSet: this.#set(definition.selectionSet, type) };
    });
    return { ...this.#document, definitions };
  }

  #set(set: SelectionSetNode, type: GraphQLNamedType | undefined): SelectionSetNode {
    const selections = set.selections.map((selection) => this.#selection(selection, type));
    // Rearranging has to know which fragments apply to a resource.
    if (isAbstractType(type)) selections.push(field('__typename'));
    return { ...set, selections };
  }

  #selection(selection: SelectionNode, type: GraphQLNamedType | undefined): SelectionNode {
    if (selection.kind === Kind.FIELD) return this.#field(selection, type);
    refuseIn(selection.directives);
    if (selection.kind === Kind.FRAGMENT_SPREAD) return selection;
    const condition = selection.typeCondition?.name.value;
    const inner = condition === undefined ? type : this.#schema.getType(condition);
    return { ...selection, selectionSet: this.#set(selection.selectionSet, inner) };
  }

  #field(node: FieldNode, parent: GraphQLNamedType | undefined): FieldNode {
    const declared = fieldOf(parent, node.name.value);
    const type = declared && getNamedType(declared.type);
    const selectionSet = node.selectionSet && this.#set(node.selectionSet, type);
    const own = (node.directives ?? []).filter(isData);
    if (own.length === 0) return selectionSet ? { ...node, selectionSet } : node;
    this.#count += own.length;
    if (this.#count > this.#most) {
      throw refusal(`The request has more than ${this.#most} directives: ask for less at a time.`);
    }
    const { directives, selections } = this.#directivesOf(own, type);
    if (directives.flatten && !node.selectionSet) {
      throw refusal(`@flatten is for fields with fields in them, and ${node.name.value} has none.`);
    }
    this.directives.set(node, directives);
    return {
      ...node,
      directives: (node.directives ?? []).filter((directive) => !isData(directive)),
      ...(selectionSet && {
        selectionSet: { ...selectionSet, selections: [...selectionSet.selections, ...selections] },
      }),
    };
  }

  /** Returns what the directives of a field say, and the fields that have to be selected for them. */
  #directivesOf(nodes: readonly DirectiveNode[], type: GraphQLNamedType | undefined) {
    const byName = new Map(nodes.map((node) => [node.name.value, node]));
    if (byName.size < nodes.length) throw refusal('A directive can be used only once at a field.');
    for (const [name, { arguments: given = [] }] of byName) {
      if (name !== 'slice' && given.length > 0) throw refusal(`@${name} has no arguments.`);
    }
    const directives: DataDirectives = {
      flatten: byName.has('flatten'),
      first: byName.has('first'),
      singleton: byName.has('singleton'),
    };
    if (directives.flatten && directives.singleton) {
      throw refusal('A field with @flatten is not in the answer: set @singleton at the fields in it.');
    }
    const slice = byName.get('slice');
    if (!slice) return { directives, selections: [] };
    const path = pathOf(slice);
    if (path === '$index') return { directives: { ...directives, slice: 'index' as const }, selections: [] };
    const names = path.split('.');
    if (!isPath(names, type)) return this.#expression(path, directives, type);
    const alias = this.#alias(names[0]!);
    const selections = [selectionOf(names, alias)];
    return { directives: { ...directives, slice: { alias, path: names } }, selections };
  }

  #expression(expression: string, directives: DataDirectives, type: GraphQLNamedType | undefined) {
    const elements = elementsOf(expression, isObjectType(type) ? type : undefined);
    if (elements.length === 0) throw unusable(expression);
    const aliased = elements.map((element) => {
      const alias = { kind: Kind.NAME, value: this.#alias(element.name.value) } as const;
      return { ...element, alias };
    });
    const key = this.#alias('');
    this.expressions.push({
      expression,
      key,
      type: type!.name,
      elements: new Map(aliased.map(({ alias, name }) => [alias.value, name.value])),
    });
    return { directives: { ...directives, slice: { alias: key, path: [expression] } }, selections: aliased };
  }

  /** Returns a name for the answer that the document does not have. */
  #alias(name: string): string {
    this.#text ??= JSON.stringify(this.#document);
    let alias = `slice${this.hidden.size}`;
    while (this.#text.includes(alias)) alias += '_';
    this.hidden.set(alias, name);
    return alias;
  }
}

const isData = ({ name }: DirectiveNode): boolean => NAMES.has(name.value);

function refuseIn(directives: readonly DirectiveNode[] = []): void {
  const found = directives.find(isData);
  if (found) throw refusal(`@${found.name.value} is for fields only.`);
}

function pathOf({ arguments: given = [] }: DirectiveNode): string {
  const [path] = given;
  if (given.length === 1 && path?.name.value === 'path' && path.value.kind === Kind.STRING) {
    return path.value.value;
  }
  throw refusal('@slice has one argument, a text in the document: @slice(path: "use").');
}

/** Tells if a path is one of elements down to a primitive. */
function isPath(names: readonly string[], start: GraphQLNamedType | undefined): boolean {
  let type = start;
  for (const name of names) {
    const found = isObjectType(type) ? fieldOf(type, name) : undefined;
    if (!found || found.args.some(({ name }) => name === '_reference')) return false;
    type = getNamedType(found.type);
  }
  return isLeafType(type);
}

const unusable = (path: string) =>
  refusal(
    `@slice cannot use "${path}": write "$index", or FHIRPath that leads from the item to a value, as "use" or "coding.first().code".`,
  );

function selectionOf([name, ...rest]: readonly string[], alias?: string): FieldNode {
  return {
    ...field(name!),
    alias: alias === undefined ? undefined : { kind: Kind.NAME, value: alias },
    ...(rest.length > 0 && { selectionSet: { kind: Kind.SELECTION_SET, selections: [selectionOf(rest)] } }),
  };
}

function field(name: string): FieldNode {
  return { kind: Kind.FIELD, name: { kind: Kind.NAME, value: name } };
}

function fieldOf(type: GraphQLNamedType | undefined, name: string) {
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
}

const refusal = (message: string) => new Fault('invalid_request', message);
