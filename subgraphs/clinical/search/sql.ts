import { Fault } from '../../../schema/fault/fault.ts';
import { unescapeValue } from '../../../schema/fhir/search-value.ts';
import type { SearchParameter } from '../../../schema/fhir/tables.ts';
import { comparison } from './criterion-sql.ts';
import type { Criterion } from './criteria.ts';
import { MAIN_ROWS } from './index-rows.ts';
import type { InnerSql } from './joined-sql.ts';
import { chainSql, specialSql } from './joined-sql.ts';
import type { Bind, SqlContext, Statement } from './sql-context.ts';
import { oneOf } from './sql-context.ts';

export type { SqlContext, Statement } from './sql-context.ts';

/** A condition on one of the index tables. `where` uses its columns, including `param`. */
interface Condition {
  table: (typeof MAIN_ROWS)[keyof typeof MAIN_ROWS] | 'identifier';
  where: string;
  binds: Bind[];
  negated?: boolean;
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
  const add = (statement: Statement): void => {
    where.push(statement.sql);
    binds.push(...statement.binds);
  };
  for (const criterion of criteria) {
    if (isOfResource(criterion)) add(criterionSql(type, criterion, context));
    else conditions.push(condition(type, criterion, context));
  }
  const byId = criteria.some(({ parameter, modifier }) => parameter.code === '_id' && !modifier);
  const driver = byId ? undefined : conditions.filter(({ negated }) => !negated).sort(byYield)[0];
  if (driver) {
    add({ sql: `r.rid IN (SELECT rid FROM ${driver.table} WHERE ${driver.where})`, binds: driver.binds });
  } else {
    where.unshift('r.type = ?');
    binds.unshift(type);
  }
  for (const other of conditions) if (other !== driver) add(existsSql(other));
  return { sql: `FROM resource r WHERE ${where.join(' AND ')}`, binds };
}

/** True for a criterion that is no condition on one index table: it is checked for each resource. */
const isOfResource = ({ parameter, modifier }: Criterion): boolean =>
  parameter.code === '_id' || parameter.type === 'special' || modifier === 'missing';

/** Returns the condition of one criterion on a resource `r` of this type. */
function criterionSql(type: string, criterion: Criterion, context: SqlContext): Statement {
  const { parameter, modifier } = criterion;
  if (parameter.code === '_id') return identity(criterion);
  if (parameter.type === 'special') return specialSql(type, criterion, innerSql(context));
  if (modifier === 'missing') return missing(type, criterion, context);
  return existsSql(condition(type, criterion, context));
}

const innerSql = (context: SqlContext): InnerSql => ({
  context,
  searchFrom: (type, criteria) => searchFrom(type, criteria, context),
  criterionSql: (type, criterion) => criterionSql(type, criterion, context),
});

function existsSql({ table, where, binds, negated }: Condition): Statement {
  const not = negated ? 'NOT ' : '';
  return { sql: `${not}EXISTS (SELECT 1 FROM ${table} WHERE rid = r.rid AND ${where})`, binds };
}

const YIELD: Condition['table'][] = [
  ...(['identifier', 'composite', 'reference', 'uri', 'token', 'string', 'number', 'date'] as const),
];
const byYield = (a: Condition, b: Condition): number => YIELD.indexOf(a.table) - YIELD.indexOf(b.table);

/** Returns the condition for `_id`, which is the key of the resource and has no index rows. */
function identity(criterion: Criterion): Statement {
  if (criterion.modifier === 'missing') return { sql: isMissing(criterion) ? '0' : '1', binds: [] };
  const binds: Bind[] = [];
  const not = criterion.modifier === 'not' ? 'NOT ' : '';
  return { sql: `${not}r.id ${oneOf(criterion.values.map(unescapeValue), binds)}`, binds };
}

function isMissing({ parameter, values }: Criterion): boolean {
  if (values.length > 1 || !/^(true|false)$/.test(values[0]!)) {
    throw new Fault('invalid_request', `${parameter.code}:missing takes true or false.`);
  }
  return values[0] === 'true';
}

/** A value may be present without a row to compare: a concept that is only a text, a reference without a target. */
function missing(type: string, criterion: Criterion, context: SqlContext): Statement {
  const param = context.param(type, criterion.parameter.code) ?? -1;
  const not = isMissing(criterion) ? 'NOT ' : '';
  const exists = ['presence', tableOf(criterion.parameter, undefined)].map(
    (table) => `EXISTS (SELECT 1 FROM ${table} WHERE rid = r.rid AND param = ?)`,
  );
  return { sql: `${not}(${exists.join(' OR ')})`, binds: exists.map(() => param) };
}

function condition(type: string, criterion: Criterion, context: SqlContext): Condition {
  const { parameter, modifier, chain } = criterion;
  const compared = chain ? chainSql(criterion, innerSql(context)) : comparison(criterion, context.now);
  return {
    table: tableOf(parameter, modifier),
    where: `param = ? AND (${compared.sql})`,
    binds: [context.param(type, parameter.code) ?? -1, ...compared.binds],
    negated: modifier === 'not',
  };
}

function tableOf({ type }: SearchParameter, modifier: string | undefined): Condition['table'] {
  if (type === 'token' && modifier === 'text') return 'string';
  if (type === 'token' && modifier === 'of-type') return 'identifier';
  if (type === 'reference' && modifier === 'identifier') return 'token';
  return MAIN_ROWS[type as keyof typeof MAIN_ROWS];
}
