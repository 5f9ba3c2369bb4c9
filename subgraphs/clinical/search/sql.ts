import { Fault } from '../../../schema/fault/fault.ts';
import { unescapeValue } from '../../../schema/fhir/search-value.ts';
import type { SearchParameter } from '../../../schema/fhir/tables.ts';
import type { Bind } from './criterion-sql.ts';
import { comparison, oneOf } from './criterion-sql.ts';
import type { Criterion } from './criteria.ts';
import { MAIN_ROWS } from './index-rows.ts';
import type { SqlBuilder } from './joined-sql.ts';
import { chainSql, specialSql } from './joined-sql.ts';

/** A condition on one of the index tables. `where` uses its columns, including `param`. */
interface Condition {
  table: (typeof MAIN_ROWS)[keyof typeof MAIN_ROWS] | 'identifier';
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
  /** Logical ids of the patients in reach, to whom chains, `_has` and `_list` are bound; undefined: all. */
  patients?: readonly string[];
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
    if (isOfResource(criterion)) where.push(criterionSql(type, criterion, context, binds));
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
    if (other !== driver) where.push(existsSql(other, binds));
  }
  return { sql: `FROM resource r WHERE ${where.join(' AND ')}`, binds };
}

/** True for a criterion that is no condition on one index table: it is checked for each resource. */
const isOfResource = ({ parameter, modifier }: Criterion): boolean =>
  parameter.code === '_id' || parameter.type === 'special' || modifier === 'missing';

/** Returns the condition of one criterion on a resource `r` of this type. */
function criterionSql(type: string, criterion: Criterion, context: SqlContext, binds: Bind[]): string {
  const { parameter, modifier } = criterion;
  if (parameter.code === '_id') return identity(criterion, binds);
  if (parameter.type === 'special') return specialSql(type, criterion, context, binds, BUILDER);
  if (modifier === 'missing') return missing(type, criterion, context, binds);
  return existsSql(condition(type, criterion, context), binds);
}

const BUILDER: SqlBuilder = { searchFrom, criterionSql };

function existsSql(condition: Condition, binds: Bind[]): string {
  binds.push(...condition.binds);
  const not = condition.negated ? 'NOT ' : '';
  return `${not}EXISTS (SELECT 1 FROM ${condition.table} WHERE rid = r.rid AND ${condition.where})`;
}

const YIELD: Condition['table'][] = [
  ...(['identifier', 'composite', 'reference', 'uri', 'token', 'string', 'number', 'date'] as const),
];
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

/** A value may be present without a row to compare: a concept that is only a text, a reference without a target. */
function missing(type: string, criterion: Criterion, context: SqlContext, binds: Bind[]): string {
  const param = context.param(type, criterion.parameter.code) ?? -1;
  const not = isMissing(criterion) ? 'NOT ' : '';
  const exists = ['presence', tableOf(criterion.parameter, undefined)].map((table) => {
    binds.push(param);
    return `EXISTS (SELECT 1 FROM ${table} WHERE rid = r.rid AND param = ?)`;
  });
  return `${not}(${exists.join(' OR ')})`;
}

function condition(type: string, criterion: Criterion, context: SqlContext): Condition {
  const { parameter, modifier, chain } = criterion;
  const binds: Bind[] = [context.param(type, parameter.code) ?? -1];
  const compared = chain
    ? chainSql(chain, criterion, context, binds, BUILDER)
    : comparison(criterion, context.now, binds);
  return {
    ...{ table: tableOf(parameter, modifier), binds },
    ...{ where: `param = ? AND (${compared})`, negated: modifier === 'not' },
  };
}

function tableOf({ type }: SearchParameter, modifier: string | undefined): Condition['table'] {
  if (type === 'token' && modifier === 'text') return 'string';
  if (type === 'token' && modifier === 'of-type') return 'identifier';
  if (type === 'reference' && modifier === 'identifier') return 'token';
  return MAIN_ROWS[type as keyof typeof MAIN_ROWS];
}
