import { Fault } from '../../../schema/fault/fault.ts';
import { dateComparisons, dateCriterion } from '../../../schema/fhir/date-range.ts';
import { FHIR_ID, parseReference } from '../../../schema/fhir/fhir.ts';
import {
  readToken,
  splitEscaped,
  splitPrefix,
  unescapeValue,
  type Prefix,
} from '../../../schema/fhir/search-value.ts';
import type { Criterion } from './criteria.ts';
import { exactCode, foldCode, foldString, identifierKind, IMPLIED_SYSTEM } from './index-rows.ts';
import { numberSpan } from './range.ts';

export type Bind = string | number;

/**
 * Returns the SQL condition of a criterion on the columns of its index table; its alternatives are joined by OR.
 * @param now milliseconds since the epoch, for `ap`
 * @param binds receives the values
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function comparison(criterion: Criterion, now: number, binds: Bind[]): string {
  const { parameter, modifier, values } = criterion;
  const each = (one: (value: string, binds: Bind[]) => string): string =>
    values.map((value) => one(value, binds)).join(' OR ');
  switch (parameter.type) {
    case 'composite':
      return each((value, into) => composite(criterion, value, now, into));
    case 'token':
      if (modifier === 'of-type') return each(typedIdentifier);
      return each(modifier === 'text' ? stringPrefix : token);
    case 'string':
      return each(
        modifier === 'exact' ? stringExact : modifier === 'contains' ? stringContains : stringPrefix,
      );
    case 'uri':
      if (modifier === 'below') return each(uriBelow);
      return `value ${oneOf(values.map(unescapeValue).flatMap((uri) => (modifier === 'above' ? uriAndAbove(uri) : [uri])), binds)}`;
    case 'reference':
      if (modifier === 'identifier') return each(token);
      return `target ${oneOf(referenceTargets(criterion), binds)}`;
    case 'date':
      return each((value, into) => date(parameter.code, value, now, into));
    default:
      return each((value, into) => quantity(parameter.code, value, into));
  }
}

function token(text: string, binds: Bind[]): string {
  return tokenIn('', text, binds);
}

/** @param columns begin of the names of the columns: `head_` for the first part of a composite */
function tokenIn(columns: 'head_' | '', text: string, binds: Bind[]): string {
  const { system, value } = readToken(text);
  if (value === undefined) {
    if (!system) throw new Fault('invalid_request', 'A token is a code, a system with a bar, or both.');
    return push(binds, `${columns}system = ?`, system);
  }
  const compared = push(binds, `${columns}code IN (?, ?)`, foldCode(value), exactCode(value));
  if (system === undefined) return compared;
  return push(binds, `${compared} AND ${columns}system IN (?, '${IMPLIED_SYSTEM}')`, system);
}

/** Compares an identifier with its type: `system|code|value`, all of them (R4 §3.1.1.4.10). */
function typedIdentifier(text: string, binds: Bind[]): string {
  const [system = '', code = '', ...rest] = splitEscaped(text, '|').map(unescapeValue);
  const value = rest.join('|');
  if (system === '' || code === '' || value === '') {
    throw new Fault('invalid_request', ':of-type takes system|code|value, where system and code are of the type.');
  }
  return push(binds, 'kind = ? AND value = ?', identifierKind(system, code), value);
}

/** Compares the parts of a composite with the columns of one row: `8480-6$gt140` (R4 §3.1.1.4.14). */
function composite({ parameter, parts = [] }: Criterion, text: string, now: number, binds: Bind[]): string {
  const [head = '', ...values] = splitEscaped(text, '$');
  const [, tail] = parts;
  if (!tail || values.length !== 1 || head === '' || values[0] === '') {
    const form = parts.map(({ code }) => code).join('$');
    throw new Fault('invalid_request', `${parameter.code} takes a value for each part: ${form}.`);
  }
  const first = tokenIn('head_', head, binds);
  return `(${first} AND (${comparison({ parameter: tail, values }, now, binds)}))`;
}

function stringPrefix(value: string, binds: Bind[]): string {
  const folded = searchText(value);
  return push(binds, 'value >= ? AND value < ?', folded, `${folded}\u{10FFFF}`);
}

const stringExact = (value: string, binds: Bind[]): string => push(binds, 'exact = ?', unescapeValue(value));

const stringContains = (value: string, binds: Bind[]): string =>
  push(binds, 'instr(value, ?) > 0', searchText(value));

/** @throws Fault `invalid_request` for a text that is nothing when it is folded: everything would begin with it */
function searchText(value: string): string {
  const folded = foldString(unescapeValue(value));
  if (folded === '') throw new Fault('invalid_request', 'A text to search by has at least one character.');
  return folded;
}

/** A URL is below another by whole segments; a URN has none (R4 §3.1.1.4.13). */
function uriBelow(value: string, binds: Bind[]): string {
  const uri = unescapeValue(value);
  const base = uri.replace(/\/+$/, '');
  if (!isUrl(uri)) return push(binds, 'value = ?', uri);
  return push(binds, '(value IN (?, ?) OR (value >= ? AND value < ?))', uri, base, `${base}/`, `${base}0`);
}

/** Returns a URL and all URLs above it, up to its host. */
function uriAndAbove(uri: string): string[] {
  if (!isUrl(uri)) return [uri];
  const [scheme, host, ...segments] = uri.replace(/\/+$/, '').split(/\/+/);
  const above = segments.map((_, index) => [`${scheme}/`, host, ...segments.slice(0, index + 1)].join('/'));
  return [`${scheme}//${host}`, ...above].flatMap((url) => [url, `${url}/`]);
}

const isUrl = (uri: string): boolean => /^https?:\/\/[^/]/.test(uri);

/**
 * Reads targets: `Patient/1`, `1` (with all types of the parameter, or the one in `subject:Patient`), or a URL, which is of
 * another server. A reference of another type than the one in `subject:Patient` is none.
 */
function referenceTargets({ parameter, modifier, values }: Criterion): string[] {
  return values.map(unescapeValue).flatMap((value) => {
    if (!FHIR_ID.test(value)) {
      const isOfType = modifier === undefined || parseReference(value)?.type === modifier;
      return isOfType ? [value] : [];
    }
    return (modifier ? [modifier] : (parameter.targets ?? [])).map((type) => `${type}/${value}`);
  });
}

/** Returns the comparisons of a date search with the columns `low` and `high`. */
function date(code: string, value: string, now: number, binds: Bind[]): string {
  const alternatives = dateComparisons(dateCriterion(code, value), now);
  return alternatives
    .map((comparisons) => {
      const sql = comparisons.map(([end, operator, time]) => push(binds, `${end} ${operator} ?`, time));
      return `(${sql.join(' AND ')})`;
    })
    .join(' OR ');
}

/** Compares numbers and quantities: `5.4`, `gt5.4|http://unitsofmeasure.org|mg`, `5.4||mg`. */
function quantity(code: string, value: string, binds: Bind[]): string {
  const { prefix, value: rest } = splitPrefix(value);
  const [text = '', system = '', unit = ''] = splitEscaped(rest, '|').map(unescapeValue);
  const span = numberSpan(text);
  if (!span) throw new Fault('invalid_request', `The value of ${code} is not a number.`);
  const compared = compareNumber(prefix, span, binds);
  if (unit === '') return compared;
  binds.push(unit, unit);
  if (system !== '') binds.push(system);
  return `(${compared}) AND (code = ? OR unit = ?)${system === '' ? '' : ' AND system = ?'}`;
}

function compareNumber(
  prefix: Prefix,
  { value, low, high, near }: NonNullable<ReturnType<typeof numberSpan>>,
  binds: Bind[],
): string {
  switch (prefix) {
    case 'ne':
      return push(binds, 'NOT (low >= ? AND high <= ?)', low, high);
    case 'lt':
    case 'eb':
      return push(binds, prefix === 'lt' ? 'low < ?' : 'high < ?', value);
    case 'gt':
    case 'sa':
      return push(binds, prefix === 'gt' ? 'high > ?' : 'low > ?', value);
    case 'le':
      return push(binds, 'low <= ?', value);
    case 'ge':
      return push(binds, 'high >= ?', value);
    case 'ap':
      return push(binds, 'low <= ? AND high >= ?', near.high, near.low);
    default:
      return push(binds, 'low >= ? AND high <= ?', low, high);
  }
}

/** Returns `= ?` for one value. Several are one JSON array, so that the SQL text does not depend on their number. */
export function oneOf(values: readonly string[], binds: Bind[]): string {
  if (values.length === 1) return push(binds, '= ?', values[0]!);
  return push(binds, 'IN (SELECT value FROM json_each(?))', JSON.stringify(values));
}

function push(binds: Bind[], sql: string, ...values: Bind[]): string {
  binds.push(...values);
  return sql;
}
