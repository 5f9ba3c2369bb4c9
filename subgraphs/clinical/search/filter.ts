import { Fault } from '../../../schema/fault/fault.ts';
import { MAX_CONDITIONS } from '../../../schema/http/request-bounds.ts';
import { parameterOfArgument, searchParameter } from '../../../schema/fhir/tables.ts';
import type { SearchParams } from './search-params.ts';

/** Operators of `_filter` (R4 §3.2.3.4) that a plain search can express, by prefix or modifier. */
const OPERATORS: Record<string, { prefix: string } | { modifier: string }> = {
  eq: { prefix: '' },
  co: { modifier: ':contains' },
  sw: { modifier: '' },
  ne: { prefix: 'ne' },
  gt: { prefix: 'gt' },
  lt: { prefix: 'lt' },
  ge: { prefix: 'ge' },
  le: { prefix: 'le' },
  sa: { prefix: 'sa' },
  eb: { prefix: 'eb' },
  ap: { prefix: 'ap' },
};

const TERM = /^\s*([\w-]+)\s+([a-z]{2})\s+("(?:[^"\\]|\\.)*"|[^\s"()]+)\s*$/;

/**
 * Reads a `_filter` that joins comparisons with `and`: `date ge 2020-01-01 and date lt 2021-01-01`.
 * @throws Fault `invalid_request` for anything else; it says what is supported
 */
export function parseFilter(type: string, filter: string): SearchParams {
  const terms = filter.split(/\sand\s/, MAX_CONDITIONS + 1);
  if (terms.length > MAX_CONDITIONS) {
    throw new Fault('invalid_request', `_filter joins at most ${MAX_CONDITIONS} comparisons.`);
  }
  return terms.map((text) => {
    const [, name = '', operator = '', value = ''] = TERM.exec(text) ?? [];
    const parameter = searchParameter(type, name) ?? parameterOfArgument(type, name);
    const meaning = OPERATORS[operator];
    if (!parameter || !meaning) {
      throw new Fault(
        'invalid_request',
        `_filter takes comparisons joined with "and", each a search parameter of ${type}, an operator (${Object.keys(OPERATORS).join(' ')}) and a value.`,
      );
    }
    const plain = value.startsWith('"') ? unquoted(value) : value;
    if ('modifier' in meaning) return [parameter.code + meaning.modifier, plain];
    if (meaning.prefix === 'ne' && parameter.type === 'token') return [`${parameter.code}:not`, plain];
    if (meaning.prefix === '' && parameter.type === 'string') return [`${parameter.code}:exact`, plain];
    return [parameter.code, meaning.prefix + plain];
  });
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
