import { isDeepStrictEqual } from 'node:util';
import { Fault } from '../../../schema/fault/fault.ts';
import { unescapeValue } from '../../../schema/fhir/search/search-value.ts';
import { CODED } from '../../../schema/fhir/facets.ts';
import type { SearchParameter } from '../../../schema/fhir/tables.ts';
import { comparison, dateLists } from './criterion-sql.ts';
import type { Criterion } from './criteria.ts';
import { MAIN_ROWS } from './index-rows.ts';
import { chainSql, specialSql, type InnerSql } from './joined-sql.ts';
import { joined, oneOf, type Bind, type SqlContext, type Statement } from './sql-context.ts';
import { bindingParameter } from './reach.ts';
import { belonging, check, isOneOf, type Condition } from './reach-sql.ts';

export type { SqlContext, Statement } from './sql-context.ts';

type Table = (typeof MAIN_ROWS)[keyof typeof MAIN_ROWS] | 'identifier';
/** A condition on the rows of one index table. */
export type ValueCondition = Condition<Table>;

/** The conditions of a search, which all have to hold. */
export interface Conditions {
  /** On the row `r` of the resource itself. */
  own: Statement[];
  /** True when `own` names the wanted ids. */
  byId: boolean;
  /** On the rows of its values. */
  values: ValueCondition[];
}

/**
 * Reads the criteria of a search into conditions.
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function conditionsOf(type: string, criteria: readonly Criterion[], context: SqlContext): Conditions {
  return {
    own: criteria.filter(isOfResource).map((criterion) => criterionSql(type, criterion, context)),
    byId: criteria.some(({ parameter, modifier }) => parameter.code === '_id' && !modifier),
    values: criteria
      .filter((criterion) => !isOfResource(criterion))
      .map((criterion) => condition(type, criterion, context)),
  };
}

/**
 * Returns the `FROM … WHERE …` of a search within another one, on the table `resource r`. The condition that is likely to
 * narrow most selects the resources; the others are checked for each of them.
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function searchFrom(type: string, criteria: readonly Criterion[], context: SqlContext): Statement {
  const { own, byId, values } = conditionsOf(type, criteria, context);
  const driver = byId ? undefined : values.filter(({ negated }) => !negated).sort(byYield)[0];
  const selecting = driver
    ? { sql: `r.rid IN (SELECT rid FROM ${driver.table} WHERE ${driver.where})`, binds: driver.binds }
    : { sql: 'r.type = ?', binds: [type] };
  const others = values.filter((other) => other !== driver).map(check);
  const { sql, binds } = allOf([selecting, ...own, ...others]);
  return { sql: `FROM resource r WHERE ${sql}`, binds };
}

/** Joins conditions by AND. */
export function allOf(statements: readonly Statement[]): Statement {
  return joined(statements, ' AND ');
}

const YIELD: readonly Table[] = [
  ...(['identifier', 'composite', 'reference', 'uri', 'token', 'string', 'number', 'date'] as const),
];
/** Orders conditions by how much they are likely to narrow a search. */
export const byYield = (a: ValueCondition, b: ValueCondition): number =>
  YIELD.indexOf(a.table) - YIELD.indexOf(b.table);

/** True for a criterion that is no condition on one index table: it is checked for each resource. */
const isOfResource = ({ parameter, modifier }: Criterion): boolean =>
  parameter.code === '_id' || parameter.type === 'special' || modifier === 'missing';

/** Returns the condition of one criterion on a resource `r` of this type. */
function criterionSql(type: string, criterion: Criterion, context: SqlContext): Statement {
  const { parameter, modifier } = criterion;
  if (parameter.code === '_id') return identity(criterion);
  if (parameter.type === 'special') return specialSql(type, criterion, innerSql(context));
  if (modifier === 'missing') return missing(type, criterion, context);
  return check(condition(type, criterion, context));
}

const innerSql = (context: SqlContext): InnerSql => ({
  context,
  searchFrom: (type, criteria) => searchFrom(type, criteria, context),
  criterionSql: (type, criterion) => criterionSql(type, criterion, context),
});

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

function condition(type: string, criterion: Criterion, context: SqlContext): ValueCondition {
  const { parameter, modifier, chain } = criterion;
  const compared = chain ? chainSql(criterion, innerSql(context)) : comparison(criterion, context.now);
  const table = tableOf(parameter, modifier);
  return {
    table,
    where: `param = ? AND (${compared.sql})`,
    binds: [context.param(type, parameter.code) ?? -1, ...compared.binds],
    negated: modifier === 'not',
    ...(table === 'date' && { lists: dateLists(criterion, context.now) }),
    ...(!chain && isListed(type, parameter, table) && { lists: 'values' }),
  };
}

/** Returns true if there is a list for each value of a parameter: for codes that are counted, and for patients. */
function isListed(type: string, { code }: SearchParameter, table: Table): boolean {
  return (
    (table === 'token' && CODED.includes(code)) || (table === 'reference' && code === bindingParameter(type))
  );
}

function tableOf({ type }: SearchParameter, modifier: string | undefined): Table {
  if (type === 'token' && modifier === 'text') return 'string';
  if (type === 'token' && modifier === 'of-type') return 'identifier';
  if (type === 'reference' && modifier === 'identifier') return 'token';
  return MAIN_ROWS[type as keyof typeof MAIN_ROWS];
}

/**
 * Binds the search that was asked for to the patients in reach (SM-16): also of the types that everybody may read, it finds
 * only what belongs to the patients.
 */
export function outermostWithinReach(type: string, conditions: Conditions, context: SqlContext): Conditions {
  const { patients } = context;
  if (!patients) return conditions;
  const { own, values } = conditions;
  if (type === 'Patient') return { own: [...own, isOneOf(patients)], byId: true, values };
  if (bindingParameter(type) === undefined) return { ...conditions, own: [...own, { sql: '0', binds: [] }] };
  const bound = belonging(type, patients, context);
  const isNamed = values.some(
    ({ where, binds, negated }) => !negated && where === bound.where && isDeepStrictEqual(binds, bound.binds),
  );
  return isNamed ? conditions : { ...conditions, values: [...values, bound] };
}
