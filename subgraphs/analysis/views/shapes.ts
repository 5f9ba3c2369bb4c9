import { fieldsOf, tables, type Field } from '../../../schema/fhir/tables.ts';
import { nearestName } from '../../../schema/fhir/nearest-name.ts';
import { ExpressionError } from './findings.ts';
import { collectionOf, elementOf, flatMap, listOf, type Values } from './values.ts';

/** Values that all rows of one resource share, and the place of the row in its list. */
export interface Scope {
  resource: unknown;
  rowIndex: number;
}

/** Evaluates an expression. @param focus `$this` */
export type Evaluate = (focus: Values, scope: Scope) => Values;

/** A compiled expression, with what is known of its values before there are any. */
export interface Compiled {
  run: Evaluate;
  /** FHIR type of its values; undefined when it is not known, or one of several. */
  type: string | undefined;
  /** Of an element that is a choice of types, such as `value`: the same element in one type. */
  inType?: (type: string) => Compiled;
}

/** Types of choices, as names of elements end in them: `Quantity`, `DateTime`. */
const CHOICES: ReadonlySet<string> = new Set(
  Object.values(tables.types).flatMap((fields) =>
    fields.flatMap(({ name, choice }) => (choice === undefined ? [] : name.slice(choice.length))),
  ),
);

const capital = (type: string): string => type.charAt(0).toUpperCase() + type.slice(1);

/** Returns true for a type without elements, such as `dateTime`: these begin with a small letter. */
export const isPrimitive = (type: string): boolean => /^[a-z]/.test(type);

/** Returns true for a type of resource that the tables know. */
const isKnownResource = (type: string): boolean => fieldsOf(type)[0]?.name === 'resourceType';

/**
 * Compiles the step to an element.
 * @param lenient takes an element that its type does not have for empty
 * @throws ExpressionError for such an element otherwise
 */
export function element(of: Compiled, name: string, lenient: boolean): Compiled {
  // Names of JavaScript's own objects are none of FHIR's.
  if (name in {}) throw new ExpressionError(`There is no element ${name}.`);
  const fields = of.type === undefined ? [] : fieldsOf(of.type);
  if (fields.length === 0) {
    if (of.type !== undefined && isPrimitive(of.type) && !lenient) throw noElement(of.type, name, fields);
    return { run: stepOf(of, name, true), type: undefined, inType: (type) => ofUnknown(of, name, type) };
  }
  const field = fields.find((one) => one.name === name);
  if (field) return { run: stepOf(of, name, false), type: typeOf(field) };
  const choices = fields.filter(({ choice }) => choice === name);
  if (choices.length > 0) return choice(of, name, choices);
  if (lenient) return { run: () => undefined, type: undefined };
  throw noElement(of.type!, name, fields);
}

const typeOf = ({ kind, type }: Field): string | undefined => (kind === 'resource' ? undefined : type);

function stepOf(of: Compiled, name: string, mayBeChoice: boolean): Evaluate {
  const take = mayBeChoice
    ? (value: unknown) => elementOf(value, name) ?? choiceOf(value, name)
    : (value: unknown) => elementOf(value, name);
  const { run } = of;
  return (focus, scope) => flatMap(run(focus, scope), take);
}

/** Finds `valueQuantity` for `value`, where the type that has the element is not known. */
function choiceOf(value: unknown, name: string): Values {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = Object.keys(value).find((key) => key.startsWith(name) && CHOICES.has(key.slice(name.length)));
  return found === undefined ? undefined : elementOf(value, found);
}

function choice(of: Compiled, name: string, fields: readonly Field[]): Compiled {
  const names = fields.map((field) => field.name);
  const take = (value: unknown): Values => {
    for (const one of names) {
      const found = elementOf(value, one);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    run: (focus, scope) => flatMap(of.run(focus, scope), take),
    type: undefined,
    inType: (type) => {
      const field = fields.find((one) => one.name === name + capital(type));
      if (field) return { run: stepOf(of, field.name, false), type: typeOf(field) };
      const types = fields.map((one) => one.type).join(', ');
      throw new ExpressionError(`${of.type!}.${name} is never a ${type}; it may be: ${types}.`);
    },
  };
}

const ofUnknown = (of: Compiled, name: string, type: string): Compiled => ({
  run: stepOf(of, name + capital(type), false),
  type,
});

function noElement(type: string, name: string, fields: readonly Field[]): ExpressionError {
  if (isPrimitive(type)) return new ExpressionError(`${type} has no elements, so no ${name}.`);
  const near = nearestName(name, new Set(fields.map((field) => field.choice ?? field.name)));
  return new ExpressionError(`${type} has no element ${name}. Is ${near!} meant?`);
}

/**
 * Compiles the filter by a type.
 * @throws ExpressionError where JSON does not show the type of a value
 */
export function ofType(of: Compiled, type: string): Compiled {
  if (of.inType) return of.inType(type);
  if (of.type === type) return of;
  const test = testOf(type);
  const isShown = of.type === undefined || isKnownResource(type);
  if (!test || !isShown) {
    const known = of.type === undefined ? 'a value whose type is not known' : `a ${of.type}`;
    throw new ExpressionError(`ofType(${type}) cannot be applied to ${known}.`);
  }
  return { run: (focus, scope) => collectionOf(listOf(of.run(focus, scope)).filter(test)), type };
}

function testOf(type: string): ((value: unknown) => boolean) | undefined {
  if (type === 'boolean') return (value) => typeof value === 'boolean';
  if (/^(integer|positiveInt|unsignedInt)$/.test(type)) return (value) => Number.isInteger(value);
  if (type === 'decimal') return (value) => typeof value === 'number';
  if (isPrimitive(type)) return (value) => typeof value === 'string';
  if (fieldsOf(type).length > 0 && !isKnownResource(type)) return undefined;
  return (value) => typeof value === 'object' && (value as { resourceType?: unknown }).resourceType === type;
}
