import { ExpressionError } from './findings.ts';

/**
 * A FHIRPath collection as FHIR JSON has it: undefined for an empty one, the value itself for one value, an array for several.
 * Most elements are therefore taken from a resource without a copy.
 */
export type Values = unknown;

export const isEmpty = (values: Values): boolean =>
  values === undefined || (Array.isArray(values) && values.length === 0);

/** Returns the values as a list. */
export function listOf(values: Values): readonly unknown[] {
  if (values === undefined) return [];
  return Array.isArray(values) ? values : [values];
}

/** Returns the collection of a list. */
export const collectionOf = (list: readonly unknown[]): Values => (list.length > 1 ? list : list[0]);

/** Values of a collection, and characters of a text, that an expression may make. */
const MOST = { values: 100_000, characters: 1_000_000 };

/** Refuses to make a collection or a text that is too large, before it is made. @throws ExpressionError */
function requireSize(kind: keyof typeof MOST, size: number): void {
  if (size > MOST[kind])
    throw new ExpressionError(`An expression may make ${MOST[kind].toLocaleString('en')} ${kind}.`);
}

/** Returns the values of both, one after the other. @throws ExpressionError for too many */
export function together(left: Values, right: Values): readonly unknown[] {
  const [all, others] = [listOf(left), listOf(right)];
  requireSize('values', all.length + others.length);
  return [...all, ...others];
}

/** Returns a text and what follows it. @throws ExpressionError for a long one */
export function joined(text: string, others: readonly string[], separator = ''): string {
  const sum = others.reduce((length, one) => length + one.length + separator.length, text.length);
  requireSize('characters', sum);
  return [text, ...others].join(separator);
}

/** Returns the only value; undefined for none. @throws ExpressionError for several */
export function single(values: Values): unknown {
  if (!Array.isArray(values)) return values;
  if (values.length > 1) throw new ExpressionError('There are several values where one is needed.');
  return values[0];
}

/** Returns the truth of a collection: a single value that is no boolean is true (FHIRPath §4.5). */
export function truth(values: Values): boolean | undefined {
  const value = single(values);
  return value === undefined || typeof value === 'boolean' ? value : true;
}

/** Returns the results for each value, in order. */
export function flatMap(values: Values, take: (value: unknown) => Values): Values {
  if (values === undefined) return undefined;
  if (!Array.isArray(values)) return take(values);
  const all: unknown[] = [];
  for (const value of values) {
    const taken = take(value);
    if (taken === undefined) continue;
    requireSize('values', all.length + listOf(taken).length);
    for (const one of listOf(taken)) all.push(one);
  }
  return collectionOf(all);
}

/** Returns an element of a value in FHIR JSON. `null` stands in lists of primitives where only an extension is. */
export function elementOf(value: unknown, name: string): Values {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = (value as Record<string, unknown>)[name];
  if (!Array.isArray(found)) return found ?? undefined;
  return found.includes(null) ? collectionOf(found.filter((one) => one !== null)) : collectionOf(found);
}

/** Returns true for equal values, complex ones compared by their elements in any order (FHIRPath §6.1.1). */
export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const keys = Object.keys(one);
  return (
    Array.isArray(one) === Array.isArray(other) &&
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isSame(elementAt(one, key), elementAt(other, key)))
  );
}

const elementAt = (value: object, key: string): unknown => (value as Record<string, unknown>)[key];
