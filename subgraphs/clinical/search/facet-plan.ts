import type { Criterion } from './criteria.ts';
import { needsResource, rowsOf } from './plan.ts';
import { check } from './reach-sql.ts';
import {
  allOf,
  byYield,
  conditionsOf,
  outermostWithinReach,
  type SqlContext,
  type Statement,
} from './sql.ts';

/**
 * Plans how the values of a token parameter are counted among the resources that a search finds, within the caller's reach.
 * The values of a whole type are counted when the store is loaded.
 * @param code of a token parameter
 * @returns a statement that selects `code`, `system`, `count` and `rid`, the first resource that has the value
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function planFacets(
  { type, criteria, code }: { type: string; criteria: readonly Criterion[]; code: string },
  context: SqlContext,
): Statement {
  const param = context.param(type, code) ?? -1;
  const { own, values } = outermostWithinReach(type, conditionsOf(type, criteria, context), context);
  if (own.length + values.length === 0) {
    return { sql: 'SELECT code, system, count, rid FROM facet WHERE param = ?', binds: [param] };
  }
  const driver = values.filter(({ negated }) => !negated).sort(byYield)[0];
  const others = [...own, ...values.filter((other) => other !== driver).map(check)];
  const rows = driver
    ? rowsOf(driver, needsResource(own, []))
    : { sql: 'resource r WHERE r.type = ?', binds: [type] };
  const matches = allOf([rows, ...others]);
  return {
    sql: `SELECT t.code, t.system, count(*) AS count, min(t.rid) AS rid
      FROM (SELECT r.rid AS rid FROM ${matches.sql}) m CROSS JOIN token t ON t.rid = m.rid
      WHERE t.param = ? GROUP BY t.code, t.system`,
    binds: [...matches.binds, param],
  };
}
