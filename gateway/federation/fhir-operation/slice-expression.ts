import type { FieldNode, GraphQLNamedType } from 'graphql';
import { Kind } from 'graphql';
import type { ItemSelector } from '../../../schema/expressions/item-selector.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { fieldsOf, isResourceType, type Field } from '../../../schema/fhir/tables.ts';
import type { Answer } from './answer.ts';

type Data = Readonly<Record<string, unknown>>;

/** A `@slice` whose path is a FHIRPath expression. */
export interface SliceExpression {
  expression: string;
  /** FHIR type of the items. */
  type: string;
  /** Under this name the values come into each item. */
  key: string;
  /** Elements that the expression needs, by their names in the answer. */
  elements: ReadonlyMap<string, string>;
}

/** Limit of the fields that one expression may need. */
const MOST_FIELDS = 200;
const STRING = /'(?:[^'\\]|\\.)*'/gs;
const NAME = /[A-Za-z][A-Za-z0-9]*/g;

/**
 * Returns the fields of an item that hold everything an expression can read: all elements with a name that the
 * expression has, as deep as it has names. What is read beyond the path makes no difference, because the rules `slice`
 * allow no comparison of whole elements.
 * @throws Fault `invalid_request` for an expression that needs too many fields, or contained resources
 */
export function elementsOf(expression: string, type: GraphQLNamedType | undefined): FieldNode[] {
  const names = expression.replace(STRING, ' ').match(NAME) ?? [];
  const elements = type ? new Elements(new Set(names)).of(type.name, names.length) : [];
  return elements.length > 0 && isResourceType(type!.name) ? [...elements, field('resourceType')] : elements;
}

class Elements {
  readonly #names: Set<string>;
  readonly #withExtensions: boolean;
  #count = 0;

  constructor(names: Set<string>) {
    this.#names = names;
    this.#withExtensions = names.has('extension');
    if (this.#withExtensions) names.add('url');
  }

  of(type: string, depth: number): FieldNode[] {
    if (depth === 0) return [];
    const wanted = fieldsOf(type).filter(
      ({ name, choice }) =>
        name !== 'resourceType' && (this.#names.has(name) || this.#names.has(choice ?? '')),
    );
    return wanted.flatMap((element) => this.#fields(element, depth - 1));
  }

  #fields({ name, type, kind }: Field, depth: number): FieldNode[] {
    if (++this.#count > MOST_FIELDS) {
      throw new Fault('invalid_request', 'The path of @slice needs too many elements. Name fewer of them.');
    }
    if (kind === 'resource') {
      throw new Fault('invalid_request', 'The path of @slice cannot read contained resources.');
    }
    if (kind !== 'primitive') return [field(name, this.of(type, depth))];
    if (name === 'id' || type === 'xhtml') return [field(name)];
    // An element without a value exists if it has an extension or an id.
    return [field(name), field(`_${name}`, this.#withExtensions ? this.of('Element', depth) : [])];
  }
}

function field(name: string, elements?: readonly FieldNode[]): FieldNode {
  return {
    kind: Kind.FIELD,
    name: { kind: Kind.NAME, value: name },
    ...(elements && {
      // An object without any of the elements is there too.
      selectionSet: { kind: Kind.SELECTION_SET, selections: [...elements, field('__typename')] },
    }),
  };
}

/**
 * Evaluates the expressions at the items of an answer, and adds the values to each item.
 * @param data is changed
 * @param request identifies the request, for the time limit of its expressions
 * @throws Fault like `ItemSelector.values`
 */
export async function addSliceValues(
  data: Answer['data'],
  slices: readonly SliceExpression[],
  { selector, request }: { selector: ItemSelector; request: object },
): Promise<void> {
  const items = new Map(slices.map((slice) => [slice, [] as Record<string, unknown>[]]));
  const collect = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(collect);
    if (typeof value !== 'object' || value === null) return;
    const object = value as Record<string, unknown>;
    for (const slice of slices) if (isItem(object, slice)) items.get(slice)!.push(object);
    Object.values(object).forEach(collect);
  };
  collect(data);
  for (const [slice, found] of items) {
    const { expression, type, key } = slice;
    const parts = found.map((item) => partOf(item, slice));
    const values = await selector.values(parts, { expression, type, request });
    for (const [index, item] of found.entries()) item[key] = values[index];
  }
}

function isItem(object: Data, { elements }: SliceExpression): boolean {
  const [alias] = elements.keys();
  return Object.hasOwn(object, alias!);
}

function partOf(item: Data, { elements }: SliceExpression): Data {
  const part: Record<string, unknown> = {};
  for (const [alias, name] of elements) {
    const value = present(item[alias]);
    if (value !== null) part[name] = value;
  }
  return part;
}

/** Returns a value of an answer as FHIR writes it: without members that are null. */
function present(value: unknown): unknown {
  if (Array.isArray(value)) return value.some((item) => item !== null) ? value.map(present) : null;
  if (typeof value !== 'object' || value === null) return value ?? null;
  const members = Object.entries(value).filter(([name]) => name !== '__typename');
  return Object.fromEntries(
    members.map(([name, member]) => [name, present(member)]).filter(([, member]) => member !== null),
  );
}
