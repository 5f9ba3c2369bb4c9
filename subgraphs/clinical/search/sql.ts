import { Fault } from '../../../schema/fault.ts';
import { FHIR_ID } from '../../../schema/fhir.ts';
import type { SearchParameter } from '../../../schema/tables.ts';
import { searchParameter } from '../../../schema/tables.ts';
import type { Criterion } from './criteria.ts';
import { parseCriteria, splitEscaped, unescapeValue } from './criteria.ts';
import { exactCode, foldCode, foldString, IMPLIED_SYSTEM } from './index-rows.ts';
import { dateSpan, numberSpan } from './range.ts';

type Bind = string | number;

/** A condition on one of the index tables. `where` speaks of its columns, `param` among them. */
interface Condition {
  table: 'token' | 'string' | 'date' | 'number' | 'reference' | 'uri';
  where: string;
  binds: Bind[];
  negated?: boolean;
}

export interface Statement {
  sql: string;
  binds: Bind[];
}

/** What the SQL needs to know of the store. */
export interface SqlContext {
  /** The number under which the store indexes a parameter; undefined where it does not. */
  param(type: string, code: string): number | undefined;
  /** ms since the epoch, for `ap`. */
  now: number;
}

const PREFIXED = /^(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)$/s;

/**
 * `FROM … WHERE …` of a search on table `r`. The condition that is likely to narrow most drives; the others are probed
 * for each resource that it finds.
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function searchFrom(type: string, criteria: readonly Criterion[], context: SqlContext): Statement {
  const binds: Bind[] = [];
  const where: string[] = [];
  const conditions: Condition[] = [];
  for (const criterion of criteria) {
    if (criterion.parameter.code === '_id') where.push(identity(criterion, binds));
    else conditions.push(condition(type, criterion, context));
  }
  const byId = criteria.some(({ parameter, modifier }) => parameter.code === '_id' && !modifier);
  const driver = byId ? undefined : conditions.filter(({ negated }) => !negated).sort(byYield)[0];
  if (driver) {
    where.push(`r.rid IN (SELECT rid FROM ${driver.table} WHERE ${driver.where})`);
    binds.push(...driver.binds);
  } else {
    where.unshift('r.type = ?');
    binds.unshift(type);
  }
  for (const other of conditions) {
    if (other === driver) continue;
    const not = other.negated ? 'NOT ' : '';
    where.push(`${not}EXISTS (SELECT 1 FROM ${other.table} WHERE rid = r.rid AND ${other.where})`);
    binds.push(...other.binds);
  }
  return { sql: `FROM resource r WHERE ${where.join(' AND ')}`, binds };
}

const YIELD: Condition['table'][] = ['reference', 'uri', 'token', 'string', 'number', 'date'];
const byYield = (a: Condition, b: Condition): number => YIELD.indexOf(a.table) - YIELD.indexOf(b.table);

/** `_id` is no row of an index: it is the resource's key. */
function identity(criterion: Criterion, binds: Bind[]): string {
  if (criterion.modifier === 'missing') return isMissing(criterion) ? '0' : '1';
  const not = criterion.modifier === 'not' ? 'NOT ' : '';
  return `${not}r.id ${oneOf(criterion.values.map(unescapeValue), binds)}`;
}

function isMissing({ parameter, values }: Criterion): boolean {
  if (values.length > 1 || !/^(true|false)$/.test(values[0]!)) {
    throw new Fault('invalid_request', `${parameter.code}:missing takes true or false.`);
  }
  return values[0] === 'true';
}

function condition(type: string, criterion: Criterion, context: SqlContext): Condition {
  const { parameter, modifier } = criterion;
  const param = context.param(type, parameter.code) ?? -1;
  const table = tableOf(parameter, modifier);
  if (modifier === 'missing') {
    return { table, where: 'param = ?', binds: [param], negated: isMissing(criterion) };
  }
  const binds: Bind[] = [param];
  const compared = criterion.chain
    ? chained(criterion.chain, criterion.values, context, binds)
    : comparison(criterion, context, binds);
  return { table, where: `param = ? AND (${compared})`, binds, negated: modifier === 'not' };
}

function tableOf({ type }: SearchParameter, modifier: string | undefined): Condition['table'] {
  if (type === 'token') return modifier === 'text' ? 'string' : 'token';
  if (type === 'reference') return modifier === 'identifier' ? 'token' : 'reference';
  return type === 'quantity' || type === 'number' ? 'number' : (type as 'string' | 'date' | 'uri');
}

function comparison(criterion: Criterion, context: SqlContext, binds: Bind[]): string {
  const { parameter, modifier, values } = criterion;
  const each = (one: (value: string, binds: Bind[]) => string): string =>
    values.map((value) => one(value, binds)).join(' OR ');
  switch (parameter.type) {
    case 'token':
      return each(modifier === 'text' ? stringPrefix : token);
    case 'string':
      return each(
        modifier === 'exact' ? stringExact : modifier === 'contains' ? stringContains : stringPrefix,
      );
    case 'uri':
      return modifier === 'below' ? each(uriBelow) : `value ${oneOf(values.map(unescapeValue), binds)}`;
    case 'reference':
      if (modifier === 'identifier') return each(token);
      return `target ${oneOf(referenceTargets(criterion), binds)}`;
    case 'date':
      return each((value, into) => date(parameter.code, value, context.now, into));
    default:
      return each((value, into) => quantity(parameter.code, value, into));
  }
}

function token(value: string, binds: Bind[]): string {
  const parts = splitEscaped(value, '|').map(unescapeValue);
  const [system = '', code = ''] = parts.length > 1 ? parts : ['', parts[0]];
  if (parts.length > 1 && code === '') return push(binds, 'system = ?', system);
  const compared = push(binds, 'code IN (?, ?)', foldCode(code), exactCode(code));
  if (parts.length === 1) return compared;
  return push(binds, `${compared} AND system IN (?, '${IMPLIED_SYSTEM}')`, system);
}

function stringPrefix(value: string, binds: Bind[]): string {
  const folded = foldString(unescapeValue(value));
  return push(binds, 'value >= ? AND value < ?', folded, `${folded}\u{10FFFF}`);
}

const stringExact = (value: string, binds: Bind[]): string => push(binds, 'exact = ?', unescapeValue(value));

const stringContains = (value: string, binds: Bind[]): string =>
  push(binds, 'instr(value, ?) > 0', foldString(unescapeValue(value)));

function uriBelow(value: string, binds: Bind[]): string {
  const base = unescapeValue(value);
  return push(binds, 'value = ? OR (value >= ? AND value < ?)', base, `${base}/`, `${base}0`);
}

/** `Patient/1`, `1` (any type that the parameter points at, or the one of `subject:Patient`), or a URL. */
function referenceTargets({ parameter, modifier, values }: Criterion): string[] {
  return values.map(unescapeValue).flatMap((value) => {
    if (/^(https?|urn):/.test(value)) {
      const relative = /([A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64})$/.exec(value)?.[1];
      return relative ? [value, relative] : [value];
    }
    if (!FHIR_ID.test(value)) return [value];
    return (modifier ? [modifier] : (parameter.targets ?? [])).map((type) => `${type}/${value}`);
  });
}

/** R4 §3.1.1.4.5 and §3.1.1.4.7: what the span of the search does with the span of the resource. */
function date(code: string, value: string, now: number, binds: Bind[]): string {
  const [, prefix = 'eq', text = ''] = PREFIXED.exec(value) ?? [];
  const span = dateSpan(text);
  if (!span) throw new Fault('invalid_request', `The value of ${code} is not a date.`);
  const { low, high } = span;
  switch (prefix) {
    case 'ne':
      return push(binds, 'NOT (low >= ? AND high <= ?)', low, high);
    case 'lt':
      return push(binds, 'low < ?', low);
    case 'gt':
      return push(binds, 'high > ?', high);
    case 'le':
      return push(binds, 'low < ? OR (low >= ? AND high <= ?)', low, low, high);
    case 'ge':
      return push(binds, 'high > ? OR (low >= ? AND high <= ?)', high, low, high);
    case 'sa':
      return push(binds, 'low >= ?', high);
    case 'eb':
      return push(binds, 'high <= ?', low);
    case 'ap': {
      const slack = Math.abs(now - low) * 0.1;
      return push(binds, 'low < ? AND high > ?', high + slack, low - slack);
    }
    default:
      return push(binds, 'low >= ? AND high <= ?', low, high);
  }
}

/** `5.4`, `gt5.4|http://unitsofmeasure.org|mg`, `5.4||mg`. */
function quantity(code: string, value: string, binds: Bind[]): string {
  const [, prefix = 'eq', rest = ''] = PREFIXED.exec(value) ?? [];
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
  prefix: string,
  { value, low, high }: { value: number; low: number; high: number },
  binds: Bind[],
): string {
  switch (prefix) {
    case 'ne':
      return push(binds, 'NOT (low >= ? AND high < ?)', low, high);
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
      return push(
        binds,
        'low <= ? AND high >= ?',
        value + Math.abs(value) / 10,
        value - Math.abs(value) / 10,
      );
    default:
      return push(binds, 'low >= ? AND high < ?', low, high);
  }
}

function chained(
  { types, name }: { types: readonly string[]; name: string },
  values: readonly string[],
  context: SqlContext,
  binds: Bind[],
): string {
  const selects = types.map((type) => {
    const inner = searchFrom(type, parseCriteria(type, [[name, values.join(',')]]), context);
    binds.push(...inner.binds);
    return `SELECT '${type}/' || r.id ${inner.sql}`;
  });
  return `target IN (${selects.join(' UNION ALL ')})`;
}

/** `= ?` for one value; for more a JSON array, so that their number does not make a statement of its own. */
function oneOf(values: readonly string[], binds: Bind[]): string {
  if (values.length === 1) return push(binds, '= ?', values[0]!);
  return push(binds, 'IN (SELECT value FROM json_each(?))', JSON.stringify(values));
}

function push(binds: Bind[], sql: string, ...values: Bind[]): string {
  binds.push(...values);
  return sql;
}

const SORT_COLUMNS: Record<string, readonly [table: string, column: string]> = {
  date: ['date', 'low'],
  string: ['string', 'value'],
  token: ['token', 'code'],
  reference: ['reference', 'target'],
  number: ['number', 'low'],
  quantity: ['number', 'low'],
  uri: ['uri', 'value'],
};

/** `ORDER BY` of `_sort=-date,code`; resources without a value come last. Unknown keys are left out. */
export function orderBy(type: string, sort: string | undefined, context: SqlContext): Statement {
  const binds: Bind[] = [];
  const keys = (sort ?? '').split(',').flatMap((key) => {
    const descending = key.startsWith('-');
    const code = descending ? key.slice(1) : key;
    const direction = descending ? 'DESC' : 'ASC';
    if (code === '_id') return [`r.id ${direction}`];
    const param = context.param(type, code);
    const [table, column] = SORT_COLUMNS[searchParameter(type, code)?.type ?? ''] ?? [];
    if (param === undefined || !table || !column) return [];
    binds.push(param);
    const pick = `${descending ? 'max' : 'min'}(${column})`;
    return [`(SELECT ${pick} FROM ${table} WHERE rid = r.rid AND param = ?) ${direction} NULLS LAST`];
  });
  return { sql: `ORDER BY ${[...keys, 'r.rid'].join(', ')}`, binds };
}
