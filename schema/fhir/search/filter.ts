import { Fault } from '../../fault/fault.ts';
import { MAX_CONDITIONS } from '../../http/request-bounds.ts';
import { didYouMean } from './argument-values.ts';
import type { Parameter } from './search-request.ts';
import { parameterOfArgument, searchParameter, type SearchType } from '../tables.ts';

/** A `_filter` (R4 §3.2.3): search parameters, joined. */
export type Filter =
  { and: readonly Filter[] } | { or: readonly Filter[] } | { not: Filter } | { name: string; value: string };

const ORDERED: readonly SearchType[] = ['date', 'number', 'quantity'];
const DISCRETE: readonly SearchType[] = ['token', 'uri', 'reference', 'composite'];

/** Operators (R4 §3.2.3.4): the types of parameters that take them, and the modifier or prefix that says the same. */
const OPERATORS: Record<
  string,
  readonly { types: readonly SearchType[]; modifier?: string; prefix?: string }[]
> = {
  eq: [{ types: ORDERED, prefix: 'eq' }, { types: DISCRETE }, { types: ['string'], modifier: ':exact' }],
  ne: [
    { types: ORDERED, prefix: 'ne' },
    { types: ['token'], modifier: ':not' },
  ],
  co: [{ types: ['string'], modifier: ':contains' }],
  sw: [{ types: ['string'] }],
  re: [{ types: ['reference'] }],
  ...Object.fromEntries(
    ['gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'].map((prefix) => [prefix, [{ types: ORDERED, prefix }]]),
  ),
};

const OPERATOR_NAMES = [...Object.keys(OPERATORS), 'pr'].join(' ');

/** A parenthesis, a JSON string, or a word; a word may have quotes only at its beginning. */
const LEXEME = /\s*([()]|"(?:[^"\\]|\\.)*"|[^\s()"]+)/y;

/** Characters of a filter. */
const MAX_LENGTH = 4_000;

/** Returns the type of a parameter by which resources of a type can be compared; undefined when there is none. */
export type SearchedType = (type: string, name: string) => SearchType | undefined;

const plainType: SearchedType = (type, name) => searchParameter(type, name)?.type;

const malformed = (why: string): Fault => new Fault('invalid_request', `_filter ${why}`);

/**
 * Reads a `_filter`: `(status eq final or status eq amended) and not (date lt 2020)`. A value is one value: a comma in it
 * separates nothing.
 * @param searched knows the chains that can be compared; by default there are none
 * @throws Fault `invalid_request` that says what is supported; the standard gives `and` and `or` no precedence, so
 * both together need parentheses
 */
export function parseFilter(type: string, text: string, searched: SearchedType = plainType): Filter {
  if (text.length > MAX_LENGTH) throw malformed(`has at most ${MAX_LENGTH} characters.`);
  const lexemes = lexemesOf(text);
  const filter = parseJoined({ type, searched }, lexemes);
  if (lexemes.length > 0) throw malformed('has a parenthesis without its partner, or a word too many.');
  return filter;
}

/**
 * Returns search parameters that mean the same as a `_filter`: plain ones, which every source understands, when it only
 * joins comparisons with `and`; otherwise `_filter` itself.
 * @throws Fault like `parseFilter`
 */
export function filterParams(type: string, text: string, searched?: SearchedType): Parameter[] {
  const filter = parseFilter(type, text, searched);
  const terms = 'and' in filter ? filter.and : [filter];
  const plain = terms.flatMap((term) => ('name' in term ? [[term.name, term.value] as const] : []));
  return plain.length === terms.length ? plain : [['_filter', text]];
}

function lexemesOf(text: string): string[] {
  const lexemes: string[] = [];
  LEXEME.lastIndex = 0;
  for (let match = LEXEME.exec(text); match; match = LEXEME.exec(text)) {
    lexemes.push(match[1]!);
    if (lexemes.length > MAX_CONDITIONS * 5) {
      throw malformed(`joins at most ${MAX_CONDITIONS} comparisons.`);
    }
    text = text.slice(LEXEME.lastIndex);
    LEXEME.lastIndex = 0;
  }
  if (text.trim() !== '') throw malformed('has a quotation mark without its partner.');
  return lexemes;
}

/** The resource type that is filtered, and what it can be compared by. */
interface Filtered {
  type: string;
  searched: SearchedType;
}

function parseJoined(of: Filtered, lexemes: string[]): Filter {
  const terms = [parseTerm(of, lexemes)];
  const [word] = lexemes;
  if (word !== 'and' && word !== 'or') return terms[0]!;
  while (lexemes[0] === word) {
    lexemes.shift();
    terms.push(parseTerm(of, lexemes));
    if (terms.length > MAX_CONDITIONS) throw malformed(`joins at most ${MAX_CONDITIONS} comparisons.`);
  }
  if (lexemes[0] === 'and' || lexemes[0] === 'or') {
    throw malformed('needs parentheses where "and" and "or" are together.');
  }
  return word === 'and' ? { and: terms } : { or: terms };
}

function parseTerm(of: Filtered, lexemes: string[]): Filter {
  if (lexemes[0] === 'not' && lexemes[1] === '(') {
    lexemes.shift();
    return { not: parseTerm(of, lexemes) };
  }
  if (lexemes[0] === '(') {
    lexemes.shift();
    const inner = parseJoined(of, lexemes);
    if (lexemes.shift() !== ')') throw malformed('has a parenthesis without its partner.');
    return inner;
  }
  return comparisonOf(of, lexemes.splice(0, 3));
}

function comparisonOf(
  { type, searched: typeOf }: Filtered,
  [name = '', operator = '', value = '']: readonly string[],
): Filter {
  const isName = /^[\w-]+(\.[\w-]+)*$/.test(name) && !/^_(has|list|filter)\b/.test(name);
  const code = isName ? (parameterOfArgument(type, name)?.code ?? name) : '';
  const searched = code === '' ? undefined : typeOf(type, code);
  const meaning = OPERATORS[operator]?.find(({ types }) => searched && types.includes(searched));
  const text = value.startsWith('"') ? unquoted(value) : value;
  if (searched && operator === 'pr' && (text === 'true' || text === 'false')) {
    return { name: `${code}:missing`, value: text === 'true' ? 'false' : 'true' };
  }
  if (searched && operator !== '' && !meaning) {
    throw malformed(`compares ${code}, a ${searched}, with ${operatorsOf(searched)}.`);
  }
  if (!meaning || text === '') {
    throw malformed(
      `takes comparisons, each a search parameter of ${type}, an operator that its type has (${OPERATOR_NAMES}) and a value; they are joined with "and", "or", "not (…)".${searched ? '' : didYouMean(type, name)}`,
    );
  }
  // The bar of a token separates its system; in a text it is a character as others.
  const escaped = text.replace(searched === 'string' || searched === 'uri' ? /[\\,|$]/g : /[\\,]/g, '\\$&');
  return { name: code + (meaning.modifier ?? ''), value: (meaning.prefix ?? '') + escaped };
}

/** Returns the operators that a type of parameters takes; all of them take `pr`. */
function operatorsOf(searched: SearchType): string {
  const taken = Object.entries(OPERATORS).filter(([, meanings]) =>
    meanings.some(({ types }) => types.includes(searched)),
  );
  return [...taken.map(([name]) => name), 'pr'].join(' ');
}

/** @throws Fault `invalid_request` for an escape that JSON does not have */
function unquoted(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw malformed('has a quoted value that is not written as in JSON.');
  }
}
