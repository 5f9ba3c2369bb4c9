import {
  getNamedType,
  GraphQLID,
  GraphQLString,
  isCompositeType,
  Kind,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  type SelectionNode,
  type SelectionSetNode,
  type TypeNode,
  type ValueNode,
  type VariableDefinitionNode,
} from 'graphql';

/**
 * Returns the shape of a document: a text that is equal for documents that differ only in what no rule of validation, no
 * limit, no cost and no scope depends on. These are the name of the operation, the letters of the names in the answer, and
 * the letters of strings that are given for an `ID` or a `String`. What a rule or a limit reads belongs to the shape:
 * whoever adds one that reads a name or such a string adds it here.
 *
 * Such a name or string is written as the number of its first appearance, because it matters which of them are equal: fields
 * under one name must have equal arguments (GraphQL §5.3.2). An alias has a mark, because aliases are counted.
 * @returns undefined for a document that has no shape: other than one query, or with a name that the schema does not have, or
 *   with an introspection
 */
export function shapeOf(schema: GraphQLSchema, document: DocumentNode): string | undefined {
  const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
  return operations.length === 1 ? new Shape(schema).of(document) : undefined;
}

type Type = GraphQLNamedType | null | undefined;

class Shape {
  readonly #schema: GraphQLSchema;
  /** Numbers of the names in the answer, and of strings. */
  readonly #numbers = new Map<string, number>();
  #isComplete = true;

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  of({ definitions }: DocumentNode): string | undefined {
    let text = '';
    for (const definition of definitions) {
      if (definition.kind === Kind.OPERATION_DEFINITION) {
        const { operation, variableDefinitions = [], directives, selectionSet } = definition;
        text += `${operation}(${variableDefinitions.map((one) => this.#variable(one)).join()})`;
        text += `${this.#directives(directives)}${this.#set(selectionSet, this.#schema.getRootType(operation))}`;
      } else if (definition.kind === Kind.FRAGMENT_DEFINITION) {
        const { name, typeCondition, directives, selectionSet } = definition;
        const on = typeCondition.name.value;
        text += `fragment ${name.value} on ${on}${this.#directives(directives)}`;
        text += this.#set(selectionSet, this.#schema.getType(on));
      } else return undefined;
      if (!this.#isComplete) return undefined;
    }
    return text;
  }

  #variable({ variable, type, defaultValue, directives }: VariableDefinitionNode): string {
    const value = defaultValue ? `=${valueText(defaultValue)}` : '';
    return `$${variable.name.value}:${typeText(type)}${value}${this.#directives(directives)}`;
  }

  #set(set: SelectionSetNode, type: Type): string {
    let text = '{';
    for (const selection of set.selections) text += `${this.#selection(selection, type)} `;
    return `${text}}`;
  }

  #selection(selection: SelectionNode, type: Type): string {
    const directives = this.#directives(selection.directives);
    if (selection.kind === Kind.FIELD) return this.#field(selection, type, directives);
    if (selection.kind === Kind.FRAGMENT_SPREAD) return `...${selection.name.value}${directives}`;
    const on = selection.typeCondition?.name.value;
    const inner = on === undefined ? type : this.#schema.getType(on);
    return `...on ${on ?? ''}${directives}${this.#set(selection.selectionSet, inner)}`;
  }

  #field(node: FieldNode, parent: Type, directives: string): string {
    const name = node.name.value;
    const { alias, arguments: given = [], selectionSet } = node;
    const start = `${this.#numberOf(alias?.value ?? name)}${alias ? '!' : ''}:${name}`;
    if (name === '__typename' && isCompositeType(parent)) return `${start}${directives}`;
    const field = parent && 'getFields' in parent ? parent.getFields()[name] : undefined;
    if (!field || name.startsWith('__') || !('args' in field)) {
      this.#isComplete = false;
      return '';
    }
    let values = '';
    for (const { name: argument, value } of given) {
      const type = field.args.find((one) => one.name === argument.value)?.type;
      if (!type) this.#isComplete = false;
      const named = getNamedType(type);
      const takesAny = named === GraphQLID || named === GraphQLString;
      values += `${argument.value}=${takesAny ? valueText(value, this.#numbered) : valueText(value)},`;
    }
    const inner = selectionSet ? this.#set(selectionSet, getNamedType(field.type)) : '';
    return `${start}(${values})${directives}${inner}`;
  }

  #numberOf(text: string): number {
    let number = this.#numbers.get(text);
    if (number === undefined) this.#numbers.set(text, (number = this.#numbers.size));
    return number;
  }

  /** Writes a string that any other one may take the place of. */
  readonly #numbered = (string: string): string => `?${this.#numberOf(string)}`;

  #directives(directives: readonly DirectiveNode[] = []): string {
    return directives
      .map(({ name, arguments: given = [] }) => {
        const values = given.map((one) => `${one.name.value}=${valueText(one.value)}`);
        return `@${name.value}(${values.join()})`;
      })
      .join('');
  }
}

function typeText(type: TypeNode): string {
  if (type.kind === Kind.NAMED_TYPE) return type.name.value;
  return type.kind === Kind.LIST_TYPE ? `[${typeText(type.type)}]` : `${typeText(type.type)}!`;
}

const unchanged = (string: string): string => string;

/** Writes a value. @param write is given each string, as JSON and with its form */
export function valueText(value: ValueNode, write = unchanged): string {
  switch (value.kind) {
    case Kind.STRING:
      return write(`${value.block ? 'block' : ''}${JSON.stringify(value.value)}`);
    case Kind.LIST:
      return `[${value.values.map((one) => valueText(one, write)).join()}]`;
    case Kind.OBJECT:
      return `{${value.fields.map((one) => `${one.name.value}=${valueText(one.value)}`).join()}}`;
    case Kind.VARIABLE:
      return `$${value.name.value}`;
    case Kind.NULL:
      return 'null';
    default:
      return String(value.value);
  }
}

/** Tells if a value is a variable, or holds one. */
export function hasVariable(value: ValueNode): boolean {
  if (value.kind === Kind.LIST) return value.values.some(hasVariable);
  if (value.kind === Kind.OBJECT) return value.fields.some((one) => hasVariable(one.value));
  return value.kind === Kind.VARIABLE;
}
