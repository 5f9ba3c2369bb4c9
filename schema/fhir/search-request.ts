import { Fault } from '../fault/fault.ts';
import { trimmedAlternatives } from './search-value.ts';

/** One parameter of a search as it was sent: a name that is repeated means *and* (R4 §3.1.1.3). */
export type Parameter = readonly [name: string, value: string];
export type Parameters = readonly Parameter[];

/** The value of a parameter; of several the last. */
export function lastValue(parameters: Parameters, name: string): string | undefined {
  return parameters.findLast(([key]) => key === name)?.[1];
}

export type Summary = 'true' | 'text' | 'data' | 'count' | 'false';

/** A result parameter, and the values of it that are understood. */
type Understood = Readonly<Record<string, (value: string) => boolean>>;

const anyValue = (): boolean => true;

/** Result parameters that every search takes (R4 §3.1.1.5). */
const RESULT_PARAMETERS: Understood = {
  _count: anyValue,
  _offset: anyValue,
  _elements: (value) => value !== '',
  _total: (value) => ['none', 'estimate', 'accurate'].includes(value),
  // Read with the request; here they belong to the self link alone.
  _format: anyValue,
  _pretty: anyValue,
};

/** What an API serves of the result parameters besides those that every search takes. */
export interface ResultRules {
  /** Values of `_summary`. */
  summaries: readonly Summary[];
  /** Resources on a page, unless `_count` says otherwise. */
  defaultCount: number;
  /** The largest page; `_count` beyond it is read as this. */
  maxCount: number;
  /** More parameters, such as `_sort`, `_include` and `_cursor`. */
  more: Understood;
}

/** What a search asks of the form of its answer. */
export interface Results {
  /** Size of a page; 0 where only the total is wanted. */
  count: number;
  offset?: number;
  cursor?: string;
  /** Keys of `_sort` with their signs, all repetitions together. */
  sort: readonly string[];
  /** Undefined for all. */
  elements?: readonly string[];
  /** `_count=0` asks for the same as `_summary=count` (R4 §3.1.1.5.4). */
  summary?: Summary;
  /** Whether the total is wanted. */
  total: boolean;
}

interface SearchRequest {
  /** Parameters that choose resources, in their order. The API decides which of them it knows. */
  criteria: Parameters;
  /** The criteria and the result parameters that are understood, in their order. */
  understood: Parameters;
  results: Results;
}

/**
 * Reads the parameters of a search (R4 §3.1.1).
 * @param strict whether a result parameter that is not understood is refused, instead of ignored
 * @throws Fault `invalid_request` for a count or offset that is no number, `unsupported_parameter` where the client is
 *   strict
 */
export function readSearchRequest(
  parameters: Iterable<Parameter>,
  strict: boolean,
  { summaries, defaultCount, maxCount, more }: ResultRules,
): SearchRequest {
  const understands: Understood = {
    ...RESULT_PARAMETERS,
    _summary: (value) => summaries.includes(value as Summary),
    ...more,
  };
  const criteria: Parameter[] = [];
  const understood: Parameter[] = [];
  const results: Parameter[] = [];
  for (const parameter of parameters) {
    const [sent, value] = parameter;
    const name = withoutIterate(sent);
    if (!Object.hasOwn(understands, name)) {
      criteria.push(parameter);
    } else if (understands[name]!(value)) {
      results.push([name, value]);
    } else {
      if (strict) throw unsupported(sent);
      continue;
    }
    understood.push(parameter);
  }
  return { criteria, understood, results: resultsOf(results, defaultCount, maxCount) };
}

/** For a search parameter that is not known, or has a value that is not supported, where the client is strict. */
export function unsupported(name: string): Fault {
  return new Fault(
    'unsupported_parameter',
    `The search parameter ${name} is not supported here with this value.`,
  );
}

function resultsOf(given: Parameters, defaultCount: number, maxCount: number): Results {
  const listOf = (name: string) =>
    given.filter(([key]) => key === name).flatMap(([, value]) => trimmedAlternatives(value));
  const asked = naturalNumber('_count', lastValue(given, '_count'));
  const count = Math.min(asked ?? defaultCount, maxCount);
  const elements = listOf('_elements');
  const summary = count === 0 ? 'count' : (lastValue(given, '_summary') as Summary | undefined);
  const offset = naturalNumber('_offset', lastValue(given, '_offset'));
  const cursor = lastValue(given, '_cursor');
  return {
    count: summary === 'count' ? 0 : count,
    ...(offset !== undefined && { offset }),
    ...(cursor !== undefined && { cursor }),
    sort: listOf('_sort'),
    ...(elements.length > 0 && { elements }),
    ...(summary !== undefined && { summary }),
    total: lastValue(given, '_total') !== 'none',
  };
}

/** `_include:iterate` is `_include` where what is included brings nothing more. */
function withoutIterate(name: string): string {
  return name.replace(/^_include:(iterate|recurse)$/, '_include');
}

function naturalNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Fault('invalid_request', `${name} takes a whole number, zero or more.`);
}
