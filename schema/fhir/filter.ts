import { Fault } from '../fault/fault.ts';
import { MAX_CONDITIONS } from '../http/request-bounds.ts';
import { didYouMean, isOrdered } from './argument-values.ts';
import { parameterOfArgument, searchParameter, type SearchType } from './tables.ts';
import type { Parameter } from './search-request.ts';

/** Operators of `_filter` (R4 §3.2.3.4) that a plain search can express, by the types of parameters that take them. */
const OPERATORS: Record<
  string,
  Partial<Record<SearchType | 'ordered', (code: string) => [string, string]>>
> = {
  eq: {
    ordered: (code) => [code, 'eq'],
    string: (code) => [`${code}:exact`, ''],
    ...Object.fromEntries(
      (['token', 'reference', 'uri', 'composite', 'special'] as const).map((type) => [type, asIs]),
    ),
  },
  ne: { ordered: (code) => [code, 'ne'], token: (code) => [`${code}:not`, ''] },
  co: { string: (code) => [`${code}:contains`, ''] },
  sw: { string: asIs },
  ...Object.fromEntries(
    ['gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'].map((prefix) => [
      prefix,
      { ordered: (code: string) => [code, prefix] },
    ]),
  ),
};

function asIs(code: string): [string, string] {
  return [code, ''];
}

const TERM = /^\s*([\w-]+)\s+([a-z]{2})\s+("(?:[^"\\]|\\.)*"|[^\s"()]+)\s*$/;
/** A quoted value, or the `and` between comparisons. */
const QUOTED_OR_AND = /"(?:[^"\\]|\\.)*"|\sand\s/g;
/** Characters of a filter. Splitting takes up to the square of them. */
const MAX_LENGTH = 4_000;

/**
 * Reads a `_filter` that joins comparisons with `and`: `date ge 2020-01-01 and date lt 2021-01-01`. A value is one value:
 * a comma in it separates nothing.
 * @throws Fault `invalid_request` for anything else; it says what is supported
 */
export function parseFilter(type: string, filter: string): Parameter[] {
  if (filter.length > MAX_LENGTH) {
    throw new Fault('invalid_request', `_filter has at most ${MAX_LENGTH} characters.`);
  }
  const terms = termsOf(filter);
  if (terms.length > MAX_CONDITIONS) {
    throw new Fault('invalid_request', `_filter joins at most ${MAX_CONDITIONS} comparisons.`);
  }
  return terms.map((text) => {
    const [, name = '', operator = '', value = ''] = TERM.exec(text) ?? [];
    const parameter = searchParameter(type, name) ?? parameterOfArgument(type, name);
    const meanings = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
    if (!parameter || !meanings) {
      throw new Fault(
        'invalid_request',
        `_filter takes comparisons joined with "and", each a search parameter of ${type}, an operator (${Object.keys(OPERATORS).join(' ')}) and a value.${didYouMean(type, name)}`,
      );
    }
    const meaning = meanings[isOrdered(parameter) ? 'ordered' : parameter.type];
    if (!meaning) {
      throw new Fault('invalid_request', `_filter cannot compare ${parameter.code} by ${operator}.`);
    }
    const [code, prefix] = meaning(parameter.code);
    const plain = value.startsWith('"') ? unquoted(value) : value;
    return [code, prefix + plain.replace(/\\.|,/gs, (found) => (found === ',' ? '\\,' : found))];
  });
}

/** Splits at each `and`, but not in a quoted value. */
function termsOf(filter: string): string[] {
  const separators = [...filter.matchAll(QUOTED_OR_AND)].filter(([text]) => !text.startsWith('"'));
  const starts = [0, ...separators.map(({ index, 0: text }) => index + text.length)];
  return starts.map((start, number) => filter.slice(start, separators[number]?.index));
}

/** @throws Fault `invalid_request` for an escape that JSON does not have */
function unquoted(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new Fault(
      'invalid_request',
      'A quoted value of _filter is written as in JSON: a backslash stands before a quote or a backslash.',
    );
  }
}
