import type { GraphQLLeafType } from 'graphql';
import { withDecimals, writeFhirJson } from '../../../schema/fhir/decimal.ts';

/** Matches a text that is the same in JSON: without quotes, backslashes, controls, lone surrogates, or the mark of decimals. */
const PLAIN = /^[^"\\\u0000-\u001f\ud800-\ue000]*$/;

/** Returns a text as JSON. A marked decimal becomes a number (FG-4). */
export const quoted = (text: string): string =>
  PLAIN.test(text) ? `"${text}"` : withDecimals(JSON.stringify(text));

/** Types whose every text is a value. */
const TEXTS = new Set(['String', 'ID', 'code', 'date', 'dateTime', 'instant', 'time']);
/** Types whose every finite number is a value. */
const NUMBERS = new Set(['Float', 'decimal']);

/**
 * Returns the function that writes the values of a scalar or an enum as JSON. Usual values take a short way; all others are
 * serialized by the type (GraphQL §3.5.1).
 */
export function leafWriter(type: GraphQLLeafType): (value: unknown) => string {
  const serialized = (value: unknown): string => {
    if (value instanceof Error) throw value;
    const result = type.serialize(value);
    if (result !== undefined && result !== null) return writeFhirJson(result);
    throw new Error(`A value of ${type.name} was serialized to nothing.`);
  };
  if (TEXTS.has(type.name)) {
    return (value) => (typeof value === 'string' ? quoted(value) : serialized(value));
  }
  if (NUMBERS.has(type.name)) {
    return (value) =>
      typeof value === 'number' && Number.isFinite(value) ? String(value) : serialized(value);
  }
  return serialized;
}
