import { Fault } from '../fault/fault.ts';

/**
 * Limits for the parts of one request (FG-12). The work for one part is small, but thousands of parts in one request would
 * make all other callers wait.
 */

/** Parameters of a URL and of the form that is posted to it. */
const MAX_PARAMETERS = 200;
/** Values of one parameter, separated by commas or given by repetition. */
export const MAX_VALUES = 100;
/** Characters of all values of one parameter: enough for the largest allowed list of UIDs. */
const MAX_LENGTH = 40_000;
/** Search parameters that must all match; a repeated one counts each time. */
export const MAX_CONDITIONS = 30;
/** Keys of `_sort`. */
const MAX_SORT_KEYS = 10;
/** Members of a header that is a list. */
const MAX_HEADER_MEMBERS = 100;

/** Headers that are lists of which each member is read. */
const LIST_HEADERS = [
  'accept',
  'accept-charset',
  'accept-encoding',
  'accept-language',
  'access-control-request-headers',
  'if-match',
  'if-none-match',
  'if-range',
  'prefer',
  'range',
] as const;

/**
 * Reads a query and the form that was posted with it as pairs. Repeated parameters stay separate.
 * @param texts without the question mark
 * @param maxValues values that one parameter may have
 * @throws Fault `invalid_request` for more parameters than `MAX_PARAMETERS`, and for a parameter with too many values or
 * characters
 */
export function readParameters(texts: readonly string[], maxValues = MAX_VALUES): [string, string][] {
  requireFewParameters(texts);
  const pairs = texts.flatMap((text) => [...new URLSearchParams(text)]);
  const values = new Map<string, number>();
  for (const [name, value] of pairs) {
    const count = (values.get(name) ?? 0) + 1 + occurrences(value, ',', maxValues);
    if (count > maxValues) throw tooMuch(name, maxValues);
    if (value.length > MAX_LENGTH) throw tooMuch(name, MAX_LENGTH, 'characters');
    values.set(name, count);
  }
  return pairs;
}

/**
 * Counts the parameters of a query and a form before they are parsed.
 * @throws Fault `invalid_request` for more than `MAX_PARAMETERS`
 */
export function requireFewParameters(texts: readonly string[]): void {
  const separators = texts.reduce((sum, text) => sum + occurrences(text, '&', MAX_PARAMETERS), 0);
  if (separators < MAX_PARAMETERS) return;
  throw new Fault('invalid_request', `A request takes at most ${MAX_PARAMETERS} parameters.`);
}

/**
 * Joins the values of a GraphQL argument with commas, as the value of a search parameter.
 * @throws Fault `invalid_request` for more than `MAX_VALUES`
 */
export function joinValues(name: string, values: readonly unknown[]): string {
  if (values.length > MAX_VALUES) throw tooMuch(name, MAX_VALUES);
  const joined = values.join(',');
  if (occurrences(joined, ',', MAX_VALUES) >= MAX_VALUES) throw tooMuch(name, MAX_VALUES);
  return joined;
}

/**
 * Refuses a search with too many conditions or sort keys.
 * @throws Fault `invalid_request`
 */
export function requireFewConditions(conditions: number, sortKeys: number): void {
  if (conditions > MAX_CONDITIONS) {
    throw new Fault('invalid_request', `A search takes at most ${MAX_CONDITIONS} search parameters.`);
  }
  if (sortKeys > MAX_SORT_KEYS) {
    throw new Fault('invalid_request', `_sort takes at most ${MAX_SORT_KEYS} keys.`);
  }
}

/**
 * Refuses headers with too many list members.
 * @throws Fault `invalid_request` that names the header
 */
export function requireShortHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): void {
  for (const name of LIST_HEADERS) {
    const value = headers[name];
    if (value === undefined) continue;
    if (occurrences(String(value), ',', MAX_HEADER_MEMBERS) < MAX_HEADER_MEMBERS) continue;
    throw new Fault('invalid_request', `The header ${name} takes at most ${MAX_HEADER_MEMBERS} members.`);
  }
}

/** Counts the occurrences of a character, up to `most`. */
function occurrences(text: string, character: string, most: number): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0 && count < most; at = text.indexOf(character, at + 1)) {
    count++;
  }
  return count;
}

function tooMuch(name: string, most: number, what = 'values'): Fault {
  // The name comes from the client and may contain anything.
  const parameter = /^[\w.:-]{1,64}$/.test(name) ? name : 'A parameter';
  return new Fault('invalid_request', `${parameter} takes at most ${most} ${what}: ask for less at a time.`);
}
