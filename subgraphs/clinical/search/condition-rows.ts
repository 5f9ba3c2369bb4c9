import type { Condition } from './reach-sql.ts';
import { allOf, type Conditions, type Statement, type ValueCondition } from './sql.ts';

/** The resources that meet a condition, as rows and as lists. */

/** Returns true when more than the rows of values are read. */
export const needsResource = (own: readonly Statement[], keys: readonly { index?: unknown }[]): boolean =>
  own.length > 0 || keys.some(({ index }) => !index);

/**
 * Returns the number of rows of a condition, at most `$most`. Of dates it is the number of those in the lists that may meet it;
 * where these have more, the rows are counted: a bulk load gives millions of resources dates of one day.
 */
export function sizeOf({ table, where, binds, lists }: Condition): Statement {
  const count = 'SELECT min($most, coalesce(sum(count), 0)) AS listed';
  if (lists === 'values') return { sql: `${count} FROM ${valueLists(table)} WHERE ${where}`, binds };
  const counted = `SELECT count(*) FROM (SELECT 1 FROM ${table} WHERE ${where} LIMIT $most)`;
  if (!lists) return { sql: counted, binds };
  const { sql, binds: ends } = lists.some;
  const listed = `${count} FROM date_list WHERE param = ? AND (${sql})`;
  return {
    sql: `SELECT CASE WHEN listed < $most THEN listed ELSE (${counted}) END FROM (${listed})`,
    binds: [...binds, binds[0]!, ...ends],
  };
}

/** Returns the lists of values with the columns of a table of values: `facet` has those of tokens. */
const valueLists = (table: string): string =>
  table === 'token' ? 'facet' : '(SELECT param, code AS target, count, rids FROM facet)';

/** Returns the `FROM` of the resources, as `r`, that have a value. */
export function rowsOf(condition: Condition, withResource: boolean): Statement {
  const { lists } = condition;
  const from = typeof lists === 'object' ? datesIn(condition, lists.some) : fromTable(condition);
  const rows = `(SELECT DISTINCT rid FROM ${from.sql})`;
  return withResource
    ? { sql: `${rows} d CROSS JOIN resource r ON r.rid = d.rid WHERE 1`, binds: from.binds }
    : { sql: `${rows} r WHERE 1`, binds: from.binds };
}

const fromTable = ({ table, where, binds }: Condition): Statement => ({
  sql: `${table} WHERE ${where}`,
  binds,
});

/** Returns the `FROM` of the dates that meet a condition and are in some of the lists. */
function datesIn({ where, binds }: Condition, lists: Statement): Statement {
  return {
    sql: `(SELECT low_from, low_to FROM date_list WHERE param = ? AND (${lists.sql})) l
      CROSS JOIN date INDEXED BY date_value WHERE ${where} AND low BETWEEN l.low_from AND l.low_to`,
    binds: [binds[0]!, ...lists.binds, ...binds],
  };
}

/** Returns the `FROM` of the resources, as `r`, that meet the conditions on themselves, and that of the driver. */
export function matchesOf(
  type: string,
  own: readonly Statement[],
  driver: ValueCondition | undefined,
): Statement {
  const rows = driver
    ? rowsOf(driver, needsResource(own, []))
    : { sql: 'resource r WHERE r.type = ?', binds: [type] };
  return allOf([rows, ...own]);
}

/** The resources that meet a condition: those of the lists, and those of the rows. */
export interface ResourceSet {
  /** Selects `rids`, resources as 32-bit integers. */
  lists?: Statement;
  /** Selects `rid`. */
  rows?: Statement;
  /** The resources that are not in the set meet the condition. */
  negated: boolean;
}

/** Returns a set for each condition on values, and one for those on the resource itself, which are checked one by one. */
export function setsOf(
  type: string,
  { own, values }: Pick<Conditions, 'own' | 'values'>,
  driver?: ValueCondition,
): ResourceSet[] {
  if (own.length === 0) return values.map(setOf);
  const matches = matchesOf(type, own, driver);
  const rows = { sql: `SELECT r.rid FROM ${matches.sql}`, binds: matches.binds };
  return [{ rows, negated: false }, ...values.filter((other) => other !== driver).map(setOf)];
}

function setOf(condition: ValueCondition): ResourceSet {
  const { table, where, binds, lists, negated = false } = condition;
  if (lists === 'values')
    return { lists: { sql: `SELECT rids FROM ${valueLists(table)} WHERE ${where}`, binds }, negated };
  const rows = ({ sql, binds: all }: Statement): Statement => ({ sql: `SELECT rid FROM ${sql}`, binds: all });
  if (!lists) return { rows: rows(fromTable(condition)), negated };
  const { all, some } = lists;
  const whole = {
    sql: `SELECT rids FROM date_list WHERE param = ? AND (${all.sql})`,
    binds: [binds[0]!, ...all.binds],
  };
  const others = { sql: `(${some.sql}) AND NOT (${all.sql})`, binds: [...some.binds, ...all.binds] };
  return { lists: whole, rows: rows(datesIn(condition, others)), negated };
}
