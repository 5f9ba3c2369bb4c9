import { nearestName } from '../nearest-name.ts';
import { Fault } from '../../fault/fault.ts';
import { joinValues } from '../../http/request-bounds.ts';
import type { Parameter } from './search-request.ts';
import { alternatives, splitEscaped, splitPrefix, trimmedAlternatives } from './search-value.ts';
import {
  argumentName,
  searchParameter,
  searchParameters,
  type SearchParameter,
  type SearchType,
} from '../tables.ts';

/** Types of search parameters whose values have an order, and so take prefixes (R4 §3.1.1.4.5). */
const ORDERED: ReadonlySet<SearchType> = new Set(['date', 'number', 'quantity']);

/** Returns true when values of this type take prefixes. */
function isOrdered({ type }: Pick<SearchParameter, 'type'>): boolean {
  return ORDERED.has(type);
}

/** Returns true for a value that bounds a range: with a prefix other than `eq` and `ap`. */
function isBound(value: string): boolean {
  return !['eq', 'ap'].includes(splitPrefix(value).prefix);
}

/**
 * Converts the values of one GraphQL argument to search parameters, all of which must match (FG-20). Values are
 * alternatives; values with a prefix (`ge`, `gt`, `le`, `lt`, `sa`, `eb`, `ne`) bound one range. In a composite the prefix
 * stands in a component: values that agree in all other components bound a range.
 * @param type of the resource
 * @throws Fault `invalid_request` for no value, too many values, and bounds among alternatives
 */
export function argumentConditions(
  type: string,
  parameter: SearchParameter,
  given: readonly unknown[],
): Parameter[] {
  const argument = argumentName(parameter.code);
  const values = given.map(String);
  if (values.length === 0 || values.some((value) => trimmedAlternatives(value).length === 0)) {
    throw withoutValue(argument);
  }
  const joined = joinValues(argument, values);
  const orderOf = boundsOf(type, parameter);
  const read = values.flatMap((value) => alternatives(value).map(orderOf));
  const isRange = new Set(read.map(({ of }) => of)).size === 1 && read.every(({ bound }) => bound);
  if (isRange && read.length === values.length) return values.map((value) => [parameter.code, value]);
  const mixed = read.some(({ bound, of }) => bound && read.filter((other) => other.of === of).length > 1);
  if (mixed) throw mixedBounds(argument);
  return [[parameter.code, joined]];
}

/** Whether a value bounds a range. Values with the same `of` bound the same one. */
interface Order {
  bound: boolean;
  of: string;
}

/** Returns how values of a parameter are read. Values without an order bound nothing. */
function boundsOf(type: string, parameter: SearchParameter): (value: string) => Order {
  if (isOrdered(parameter)) return (value) => ({ bound: isBound(value), of: '' });
  const ordered = (parameter.components ?? []).map(({ code }) => {
    const component = searchParameter(type, code);
    return component !== undefined && isOrdered(component);
  });
  return (value) => {
    const parts = splitEscaped(value, '$');
    return {
      bound: parts.some((part, index) => ordered[index] === true && isBound(part)),
      of: parts.filter((_, index) => ordered[index] !== true).join('$'),
    };
  };
}

/** Returns ` Did you mean …?` with the search parameter of the type that is nearest to a name; nothing for a type without. */
export function didYouMean(type: string, name: string): string {
  const names = searchParameters(type).map(({ code }) => argumentName(code));
  const nearest = nearestName(name, names);
  return nearest === undefined ? '' : ` Did you mean ${nearest}?`;
}

function withoutValue(argument: string): Fault {
  return new Fault(
    'invalid_request',
    `${argument} has no value. Leave the argument out to search without it.`,
  );
}

function mixedBounds(argument: string): Fault {
  return new Fault(
    'invalid_request',
    `${argument} mixes bounds of a range with alternatives. Give all values a prefix (["ge2026-01-01", "le2026-12-31"], each a ` +
      'value of its own) for one range, or none for alternatives; search for several ranges in several fields.',
  );
}
