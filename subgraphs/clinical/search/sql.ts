import { Fault } from '../../../schema/fault/fault.ts';
import { unescapeValue } from '../../../schema/fhir/search-value.ts';
import type { SearchParameter } from '../../../schema/fhir/tables.ts';
import type { Bind } from './criterion-sql.ts';
import { comparison, oneOf } from './criterion-sql.ts';
import type { Criterion } from './criteria.ts';
import { parseCriteria } from './criteria.ts';

/** A condition on one of the index tables. `where` uses its columns, including `param`. */
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

/** Facts about the store that the SQL needs. */
export interface SqlContext {
  /** Returns the number of a parameter in the index; undefined when it is not indexed. */
  param(type: string, code: string): number | undefined;
  /** Milliseconds since the epoch, for `ap`. */
  now: number;
}

/**
 * Returns the `FROM … WHERE …` of a search on the table `resource r`. The condition that is likely to narrow most selects
 * the resources; the others are checked for each of them.
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

/** Returns the condition for `_id`, which is the key of the resource and has no index rows. */
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
    : comparison(criterion, context.now, binds);
  return { table, where: `param = ? AND (${compared})`, binds, negated: modifier === 'not' };
}

function tableOf({ type }: SearchParameter, modifier: string | undefined): Condition['table'] {
  if (type === 'token') return modifier === 'text' ? 'string' : 'token';
  if (type === 'reference') return modifier === 'identifier' ? 'token' : 'reference';
  return type === 'quantity' || type === 'number' ? 'number' : (type as 'string' | 'date' | 'uri');
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
