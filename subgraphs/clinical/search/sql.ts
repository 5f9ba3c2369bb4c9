import { Fault } from '../../../schema/fault/fault.ts';
import { unescapeValue } from '../../../schema/fhir/search-value.ts';
import type { SearchParameter } from '../../../schema/fhir/tables.ts';
import type { Bind } from './criterion-sql.ts';
import { comparison, oneOf } from './criterion-sql.ts';
import type { Criterion } from './criteria.ts';
import { parseCriteria } from './criteria.ts';
import { bindingParameter, reachOf } from './reach.ts';

/** A condition on one of the index tables. `where` uses its columns, including `param`. */
export interface Condition {
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
  /** Logical ids of the patients in reach; undefined: all. Every search and each search within it is bound to them. */
  patients?: readonly string[];
}

/** The conditions of a search, which all have to hold. */
export interface Conditions {
  /** On the row `r` of the resource itself. */
  own: Statement[];
  /** True when `own` names the wanted ids. */
  byId: boolean;
  /** On the rows of its values. */
  values: Condition[];
}

/**
 * Reads the criteria of a search into conditions.
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function conditionsOf(type: string, criteria: readonly Criterion[], context: SqlContext): Conditions {
  const isOwn = ({ parameter }: Criterion): boolean => parameter.code === '_id';
  return {
    own: criteria.filter(isOwn).map(identity),
    byId: criteria.some((criterion) => isOwn(criterion) && !criterion.modifier),
    values: criteria
      .filter((criterion) => !isOwn(criterion))
      .map((criterion) => condition(type, criterion, context)),
  };
}

/**
 * Returns the `FROM … WHERE …` of a search within another one, on the table `resource r`. The condition that is likely to
 * narrow most selects the resources; the others are checked for each of them.
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function searchFrom(type: string, criteria: readonly Criterion[], context: SqlContext): Statement {
  const { own, byId, values } = withinReach(type, conditionsOf(type, criteria, context), context);
  const driver = byId ? undefined : values.filter(({ negated }) => !negated).sort(byYield)[0];
  const selecting = driver
    ? { sql: `r.rid IN (SELECT rid FROM ${driver.table} WHERE ${driver.where})`, binds: driver.binds }
    : { sql: 'r.type = ?', binds: [type] };
  const others = values.filter((other) => other !== driver).map(check);
  const { sql, binds } = allOf([selecting, ...own, ...others]);
  return { sql: `FROM resource r WHERE ${sql}`, binds };
}

/** Returns a condition on values as one on the resource `r`. */
export function check({ table, where, binds, negated }: Condition): Statement {
  const not = negated ? 'NOT ' : '';
  // The few values of a resource are looked up in a list. SQLite would look up each item of the list in the index.
  const looked = where.replaceAll(/\b(\w+) (?=IN \(SELECT value FROM json_each)/g, '+$1 ');
  return { sql: `${not}EXISTS (SELECT 1 FROM ${table} WHERE rid = r.rid AND ${looked})`, binds };
}

/** Joins conditions by AND. */
export function allOf(statements: readonly Statement[]): Statement {
  return {
    sql: statements.map(({ sql }) => sql).join(' AND '),
    binds: statements.flatMap(({ binds }) => binds),
  };
}

const YIELD: Condition['table'][] = ['reference', 'uri', 'token', 'string', 'number', 'date'];
/** Orders conditions by how much they are likely to narrow a search. */
export const byYield = (a: Condition, b: Condition): number =>
  YIELD.indexOf(a.table) - YIELD.indexOf(b.table);

/** Returns the condition for `_id`, which is the key of the resource and has no index rows. */
function identity(criterion: Criterion): Statement {
  if (criterion.modifier === 'missing') return { sql: isMissing(criterion) ? '0' : '1', binds: [] };
  const not = criterion.modifier === 'not' ? 'NOT ' : '';
  const binds: Bind[] = [];
  return { sql: `${not}r.id ${oneOf(criterion.values.map(unescapeValue), binds)}`, binds };
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

/**
 * Binds the search that was asked for to the patients in reach (SM-16): also of the types that everybody may read, it finds
 * only what belongs to the patients.
 */
export function outermostWithinReach(type: string, conditions: Conditions, context: SqlContext): Conditions {
  const { patients } = context;
  if (!patients) return conditions;
  if (type === 'Patient') return ofPatients(conditions, patients);
  const belongs = bindingParameter(type) === undefined ? undefined : belonging(type, patients, context);
  return belongs ? { ...conditions, values: [...conditions.values, belongs] } : nothing(conditions);
}

/** Binds a search within another one: what everybody may read with a record may also be chained through. */
function withinReach(type: string, conditions: Conditions, context: SqlContext): Conditions {
  const { patients } = context;
  if (!patients || (reachOf(type) === 'shared' && bindingParameter(type) === undefined)) return conditions;
  if (reachOf(type) !== 'shared') return outermostWithinReach(type, conditions, context);
  // A device of nobody is shared, the device of a patient is not.
  const belongs = belonging(type, patients, context);
  const nobodys = check({ ...belongs, where: 'param = ?', binds: belongs.binds.slice(0, 1), negated: true });
  const owned = check(belongs);
  const either = { sql: `(${nobodys.sql} OR ${owned.sql})`, binds: [...nobodys.binds, ...owned.binds] };
  return { ...conditions, own: [...conditions.own, either] };
}

const nothing = (conditions: Conditions): Conditions => ({
  ...conditions,
  own: [...conditions.own, { sql: '0', binds: [] }],
});

function ofPatients({ own, values }: Conditions, patients: readonly string[]): Conditions {
  const binds: Bind[] = [];
  return { own: [...own, { sql: `r.id ${oneOf(patients, binds)}`, binds }], byId: true, values };
}

/** Returns the condition that a resource belongs to one of the patients. */
function belonging(type: string, patients: readonly string[], context: SqlContext): Condition {
  const param = context.param(type, bindingParameter(type) ?? '') ?? -1;
  const binds: Bind[] = [];
  const targets = patients.map((id) => `Patient/${id}`);
  const where = `param = ? AND target ${oneOf(targets, binds)}`;
  return { table: 'reference', where, binds: [param, ...binds] };
}
