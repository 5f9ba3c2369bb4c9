import { Fault } from '../../fault/fault.ts';
import { quotedName } from '../nearest-name.ts';
import { trimmedAlternatives } from './search-value.ts';

/** One parameter of a search as it was sent. A repeated name means *and* (R4 §3.1.1.3). */
export type Parameter = readonly [name: string, value: string];
export type Parameters = readonly Parameter[];

/** Returns the value of a parameter; the last one when it is repeated. */
export function lastValue(parameters: Parameters, name: string): string | undefined {
  return parameters.findLast(([key]) => key === name)?.[1];
}

/**
 * The way in which the number of all matches is wanted (R4 §3.1.1.5.5). `accurate`: counted, however long that takes; `if-cheap`, also
 * without `_total`: given when it is known or counted at once.
 */
export type Total = 'accurate' | 'if-cheap';

export type Summary = 'true' | 'text' | 'data' | 'count' | 'false';

const SUMMARIES: readonly string[] = ['true', 'text', 'data', 'count', 'false'] satisfies Summary[];
const TOTALS: readonly string[] = ['none', 'estimate', 'accurate'];

/** For each result parameter, a test of the values that are supported. */
type Understood = Readonly<Record<string, (value: string) => boolean>>;

const anyValue = (): boolean => true;

/** Result parameters that every search takes (R4 §3.1.1.5). */
const RESULT_PARAMETERS: Understood = {
  _count: anyValue,
  _offset: anyValue,
  _elements: anyValue,
  _summary: anyValue,
  _total: anyValue,
  // Read with the request; listed here only for the self link.
  _format: anyValue,
  _pretty: anyValue,
};

/** The result parameters that an API supports besides those of every search. */
export interface ResultRules {
  /** Resources on a page, unless `_count` says otherwise. */
  defaultCount: number;
  /** Resources on the largest page; a larger `_count` is reduced to it. */
  maxCount: number;
  /** More parameters, such as `_sort`, `_include` and `_cursor`. */
  more: Understood;
}

/** Result parameters of one search: which page, and in which form. */
export interface Results {
  /** Size of a page; 0 when only the total is wanted. */
  count: number;
  offset?: number;
  cursor?: string;
  /** Keys of `_sort` with their signs; repeated parameters are joined. */
  sort: readonly string[];
  /** Undefined for all elements. */
  elements?: readonly string[];
  /** `_count=0` means the same as `_summary=count` (R4 §3.1.1.5.4). */
  summary?: Summary;
  /** Undefined: `_total=none`. */
  total?: Total;
}

interface SearchRequest {
  /** Parameters that select resources, in their order. The API decides which of them it supports. */
  criteria: Parameters;
  /** All criteria, and the result parameters that are understood, in their order; a `_count` that is too large is reduced. */
  understood: Parameters;
  results: Results;
  /** One fault for each parameter that was left out, as under strict handling: the answer names it (R4 §3.1.1.1). */
  ignored: readonly Fault[];
}

/**
 * Reads the parameters of a search (R4 §3.1.1).
 * @param strict refuse a result parameter that is not supported, instead of leaving it out
 * @throws Fault `invalid_request` for a value that the standard does not have, `unsupported_parameter` for a modifier of a
 *   result parameter, and for what is not supported when `strict`
 */
export function readSearchRequest(
  parameters: Iterable<Parameter>,
  strict: boolean,
  { defaultCount, maxCount, more }: ResultRules,
): SearchRequest {
  const taken = (name: string) =>
    [more, RESULT_PARAMETERS].find((rules) => Object.hasOwn(rules, name))?.[name];
  const criteria: Parameter[] = [];
  const understood: Parameter[] = [];
  const results: Parameter[] = [];
  const ignored: Fault[] = [];
  for (const parameter of parameters) {
    const [sent, value] = parameter;
    const name = withoutIterate(sent);
    const takes = taken(name);
    if (!takes) {
      // A modifier changes the meaning of its parameter, so it is never ignored (R4 §3.1.1.4.4).
      if (taken(sent.split(':')[0]!)) throw unsupported(sent);
      criteria.push(parameter);
    } else if (takes(value)) {
      results.push([name, value]);
    } else {
      leaveOut(unsupported(sent), { strict, ignored });
      continue;
    }
    understood.push(name === '_count' && Number(value) > maxCount ? [name, String(maxCount)] : parameter);
  }
  return { criteria, understood, results: resultsOf(results, defaultCount, maxCount), ignored };
}

/** The treatment of parameters that are not supported, and those that were left out so far (R4 §3.1.1.1). */
export interface Handling {
  strict: boolean;
  ignored: Fault[];
}

/** Adds a fault to those of what is left out. @throws the fault under strict handling */
export function leaveOut(fault: Fault, { strict, ignored }: Handling): void {
  if (strict) throw fault;
  ignored.push(fault);
}

/** Returns the fault of strict handling for an unknown search parameter or an unsupported value. */
export function unsupported(name: string): Fault {
  return new Fault(
    'unsupported_parameter',
    `The search parameter ${quotedName(name)} is not supported here with this modifier or value.`,
  );
}

function resultsOf(given: Parameters, defaultCount: number, maxCount: number): Results {
  const listOf = (name: string) =>
    given.filter(([key]) => key === name).flatMap(([, value]) => trimmedAlternatives(value));
  const asked = naturalNumber('_count', lastValue(given, '_count'));
  const count = Math.min(asked ?? defaultCount, maxCount);
  const elements = listOf('_elements');
  if (elements.length === 0 && lastValue(given, '_elements') !== undefined) {
    throw new Fault('invalid_request', '_elements takes names of elements, separated by commas.');
  }
  const asSent = oneOf('_summary', lastValue(given, '_summary'), SUMMARIES);
  const summary = count === 0 ? 'count' : (asSent as Summary | undefined);
  const offset = naturalNumber('_offset', lastValue(given, '_offset'));
  const cursor = lastValue(given, '_cursor');
  const total = oneOf('_total', lastValue(given, '_total'), TOTALS);
  return {
    count: summary === 'count' ? 0 : count,
    offset,
    cursor,
    sort: listOf('_sort'),
    ...(elements.length > 0 && { elements }),
    summary,
    ...(total !== 'none' && { total: total === 'accurate' ? total : 'if-cheap' }),
  };
}

/** Reads `_include:iterate` as `_include`; an API that follows included resources finds the modifier in `understood`. */
function withoutIterate(name: string): string {
  return name.replace(/^(_include|_revinclude):(iterate|recurse)$/, '$1');
}

function oneOf(name: string, text: string | undefined, values: readonly string[]): string | undefined {
  if (text === undefined || values.includes(text)) return text;
  throw new Fault('invalid_request', `${name} takes ${values.join(', ')}.`);
}

function naturalNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Fault('invalid_request', `${name} takes a whole number, zero or more.`);
}
