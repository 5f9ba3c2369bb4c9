import { Fault } from '../../../schema/fault/fault.ts';
import { dateComparisons, dateCriterion } from '../../../schema/fhir/date-range.ts';
import { FHIR_ID, parseReference } from '../../../schema/fhir/fhir.ts';
import {
  readToken,
  splitEscaped,
  splitPrefix,
  unescapeValue,
  type Prefix,
} from '../../../schema/fhir/search/search-value.ts';
import type { Criterion } from './criteria.ts';
import { exactCode, foldCode, identifierKind, IMPLIED_SYSTEM, foldString } from './index-rows.ts';
import { numberSpan } from './range.ts';
import type { DateLists } from './reach-sql.ts';
import { oneOf, push, type Bind, type Statement } from './sql-context.ts';

/** `Type/id`, a fragment, which leads to nothing, or an absolute URI: a canonical URL, `urn:`, a resource of another server. */
const REFERENCE = /^([A-Z][A-Za-z]+\/|#|[A-Za-z][A-Za-z0-9+.-]*:)\S+$/;

/** Adds the values of its SQL to `binds`. */
type Compare = (value: string, binds: Bind[]) => string;

/**
 * Returns the SQL condition of a criterion on the columns of its index table; its alternatives are joined by OR.
 * @param now milliseconds since the epoch, for `ap`
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function comparison(criterion: Criterion, now: number): Statement {
  const { parameter, modifier, values } = criterion;
  const binds: Bind[] = [];
  const each = (compare: Compare): Statement => ({
    sql: values.map((value) => compare(value, binds)).join(' OR '),
    binds,
  });
  const among = (column: string, wanted: readonly string[]): Statement => ({
    sql: `${column} ${oneOf(wanted, binds)}`,
    binds,
  });
  switch (parameter.type) {
    case 'composite':
      return each((value, into) => composite(criterion, value, { now, binds: into }));
    case 'token': {
      if (modifier === 'text') return each(stringPrefix);
      if (modifier === 'of-type') return each(typedIdentifier);
      const { systems } = parameter;
      return { sql: tokens(values, binds, systems ? { systems } : {}), binds };
    }
    case 'string':
      return each(
        modifier === 'exact' ? stringExact : modifier === 'contains' ? stringContains : stringPrefix,
      );
    case 'uri': {
      if (modifier === 'below') return each(uriBelow);
      const uris = values.map(unescapeValue);
      return among('value', modifier === 'above' ? uris.flatMap(uriAndAbove) : uris);
    }
    case 'reference':
      if (modifier === 'identifier') return { sql: tokens(values, binds, { systems: [] }), binds };
      return among('target', referenceTargets(criterion));
    case 'date':
      return dates(criterion, now, (end) => end);
    default:
      return each((value, into) => quantity(parameter.code, value, into));
  }
}

interface TokenColumns {
  /** Systems of codes without a system of their own; undefined: not known, so that any matches. */
  systems?: readonly string[];
  /** Begin of the names of the columns: `head_` for the first part of a composite. */
  columns?: string;
}

/** Compares with any of some tokens. Those of one system are one set: the index finds a hundred of them one by one. */
function tokens(
  texts: readonly string[],
  binds: Bind[],
  { systems, columns = '' }: TokenColumns = {},
): string {
  /** The codes of each system; undefined: any code. */
  const bySystem = new Map<string | undefined, (string | undefined)[]>();
  for (const { system, value } of texts.map(readToken)) {
    const codes = bySystem.get(system);
    if (codes) codes.push(value);
    else bySystem.set(system, [value]);
  }
  const inSystem = (system: string, mayBeImplied: boolean): string => {
    const isImplied = systems?.includes(system) ?? mayBeImplied;
    const compared = isImplied || system === '' ? `IN (?, '${IMPLIED_SYSTEM}')` : '= ?';
    return push(binds, `${columns}system ${compared}`, system);
  };
  const alternatives = [...bySystem].flatMap(([system, values]) => {
    const any = values.includes(undefined) ? [inSystem(system!, false)] : [];
    const codes = values.filter((value) => value !== undefined);
    if (codes.length === 0) return any;
    const compared = `${columns}code ${oneOfCodes(codes, binds)}`;
    return [...any, system === undefined ? compared : `${compared} AND ${inSystem(system, true)}`];
  });
  return alternatives.join(' OR ');
}

/** Returns the comparison with codes in both of their forms. */
function oneOfCodes(codes: readonly string[], binds: Bind[]): string {
  const forms = codes.flatMap((code) => [foldCode(code), exactCode(code)]);
  // One code is the usual search, which needs no JSON.
  return codes.length === 1 ? push(binds, 'IN (?, ?)', ...forms) : oneOf(forms, binds);
}

/** Compares an identifier with its type: `system|code|value`, all of them (R4 §3.1.1.4.10). */
function typedIdentifier(text: string, binds: Bind[]): string {
  const [system = '', code = '', ...rest] = splitEscaped(text, '|').map(unescapeValue);
  const value = rest.join('|');
  if (system === '' || code === '' || value === '') {
    throw new Fault(
      'invalid_request',
      ':of-type takes system|code|value, where system and code are of the type.',
    );
  }
  return push(binds, 'kind = ? AND value = ?', identifierKind(system, code), value);
}

/** Compares the parts of a composite with the columns of one row: `8480-6$gt140` (R4 §3.1.1.4.14). */
function composite(
  { parameter, parts = [] }: Criterion,
  text: string,
  { now, binds }: { now: number; binds: Bind[] },
): string {
  const [head = '', ...values] = splitEscaped(text, '$');
  const [first, tail] = parts;
  if (!first || !tail || values.length !== 1 || head === '' || values[0] === '') {
    const form = parts.map(({ code }) => code).join('$');
    throw new Fault('invalid_request', `${parameter.code} takes a value for each part: ${form}.`);
  }
  const { systems } = first;
  const compared = tokens([head], binds, { columns: 'head_', ...(systems && { systems }) });
  const { sql, binds: more } = comparison({ parameter: tail, values }, now);
  return push(binds, `(${compared} AND (${sql}))`, ...more);
}

/**
 * Reads targets: `Patient/1`, `1` (with all types of the parameter, or the one in `subject:Patient`), or a URL, which is of
 * another server. A reference of another type than the one in `subject:Patient` is none.
 * @throws Fault `invalid_request` for a text that is no reference
 */
function referenceTargets({ parameter, modifier, values }: Criterion): string[] {
  return values.map(unescapeValue).flatMap((value) => {
    if (!FHIR_ID.test(value)) {
      if (!REFERENCE.test(value)) {
        throw new Fault('invalid_request', `${parameter.code} takes an id, Type/id or a URL.`);
      }
      const isOfType = modifier === undefined || parseReference(value)?.type === modifier;
      return isOfType ? [value] : [];
    }
    return (modifier ? [modifier] : (parameter.targets ?? [])).map((type) => `${type}/${value}`);
  });
}

/** Returns the column that is compared. */
type DateColumn = (end: 'low' | 'high', operator: string) => string;

/** Returns the comparisons of a date search. Its alternatives are joined by OR. */
function dates({ parameter, values }: Criterion, now: number, column: DateColumn): Statement {
  const binds: Bind[] = [];
  const alternatives = values.flatMap((value) =>
    dateComparisons(dateCriterion(parameter.code, value), now).map((comparisons) => {
      const sql = comparisons.map(([end, operator, time]) =>
        push(binds, `${column(end, operator)} ${operator} ?`, time),
      );
      return `(${sql.join(' AND ')})`;
    }),
  );
  return { sql: alternatives.join(' OR '), binds };
}

/**
 * Returns the conditions of a date search on the lists of dates: that all dates of a list meet it, and that some may. A date
 * for which the first does not hold, but the second does, is to be looked at.
 */
export function dateLists(criterion: Criterion, now: number): DateLists {
  const first: DateColumn = (end) => `${end}_from`;
  const last: DateColumn = (end) => `${end}_to`;
  const isAfter = (operator: string): boolean => operator.startsWith('>');
  return {
    all: dates(criterion, now, (end, operator) => (isAfter(operator) ? first : last)(end, operator)),
    some: dates(criterion, now, (end, operator) => (isAfter(operator) ? last : first)(end, operator)),
  };
}

/** Compares numbers and quantities: `5.4`, `gt5.4|http://unitsofmeasure.org|mg`, `5.4||mg`. */
function quantity(code: string, value: string, binds: Bind[]): string {
  const { prefix, value: rest } = splitPrefix(value);
  const [text = '', system = '', unit = '', ...more] = splitEscaped(rest, '|').map(unescapeValue);
  const span = more.length === 0 ? numberSpan(text) : undefined;
  if (!span) {
    throw new Fault('invalid_request', `${code} takes a number, and for a quantity number|system|code.`);
  }
  const compared = [`(${compareNumber(prefix, span, binds)})`];
  if (unit !== '') compared.push(push(binds, '(code = ? OR unit = ?)', unit, unit));
  if (system !== '') compared.push(push(binds, 'system = ?', system));
  return compared.join(' AND ');
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

/** Comparisons of texts and URIs. Each takes a value with its escapes, and adds the values of its SQL to `binds`. */

/** A text is found by its begin, without case and accents (R4 §3.1.1.4.8). */
function stringPrefix(value: string, binds: Bind[]): string {
  const folded = searchText(value);
  return push(binds, 'value >= ? AND value < ?', folded, `${folded}\u{10FFFF}`);
}

/** Compares the whole text, as it is. */
const stringExact = (value: string, binds: Bind[]): string => push(binds, 'exact = ?', unescapeValue(value));

/** Finds a part of a text, without case and accents. */
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
