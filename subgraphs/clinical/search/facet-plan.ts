import type { Criterion } from './criteria.ts';
import { matchesOf, setsOf, sizeOf, type ResourceSet } from './condition-rows.ts';
import { check } from './reach-sql.ts';
import {
  allOf,
  byYield,
  conditionsOf,
  outermostWithinReach,
  type SqlContext,
  type Statement,
  type ValueCondition,
} from './sql.ts';

/**
 * Plan to count the values of a parameter among the resources that a search finds. There are two ways, and which one is
 * shorter is known only from the data: to collect the few matches of one condition, check the others and group the values of
 * what is left; or to mark the matches of each condition, and to count the marked resources in the list of every value.
 */
export interface FacetPlan {
  /** Ways to collect. One without `size` is short. */
  collect: readonly FacetCollection[];
  lists: ListCount;
}

export interface FacetCollection {
  /** Counts the rows of the condition, at most `$most`. */
  size?: Statement;
  /** Selects `code`, `system`, `count` and `rid`, the first resource that has the value. */
  counts: Statement;
}

export interface ListCount {
  /** A resource has to meet all of them. */
  conditions: readonly ResourceSet[];
  /** Selects `code`, `system` and `rids`, the resources of the type that have the value, as 32-bit integers. */
  values: Statement;
}

/**
 * Plans how the values of a token parameter are counted among the resources that a search finds, within the caller's reach.
 * The values of a whole type are counted when the store is loaded.
 * @param code of a token parameter of `CODED`
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function planFacets(
  { type, criteria, code }: { type: string; criteria: readonly Criterion[]; code: string },
  context: SqlContext,
): FacetPlan {
  const param = context.param(type, code) ?? -1;
  const conditions = outermostWithinReach(type, conditionsOf(type, criteria, context), context);
  const { own, byId, values } = conditions;
  const drivers = byId ? [] : values.filter(({ negated }) => !negated).sort(byYield);
  const collected = (driver?: ValueCondition): Statement =>
    countsOf(allOf([matchesOf(type, own, driver), ...checksOf(values, driver)]), param);
  const isWholeType = own.length + values.length === 0;
  const short = isWholeType ? countsOfType(param) : byId ? collected() : undefined;
  return {
    collect: short
      ? [{ counts: short }]
      : drivers.map((driver) => ({ size: sizeOf(driver), counts: collected(driver) })),
    lists: {
      conditions: setsOf(type, conditions, drivers[0]),
      values: {
        sql: 'SELECT code, system, rids FROM facet WHERE param = ? ORDER BY code, system',
        binds: [param],
      },
    },
  };
}

const countsOfType = (param: number): Statement => ({
  sql: 'SELECT code, system, count, rid FROM facet WHERE param = ?',
  binds: [param],
});

const checksOf = (values: readonly ValueCondition[], driver: ValueCondition | undefined): Statement[] =>
  values.filter((other) => other !== driver).map(check);

function countsOf(matches: Statement, param: number): Statement {
  return {
    sql: `SELECT t.code, t.system, count(*) AS count, min(t.rid) AS rid
      FROM (SELECT r.rid AS rid FROM ${matches.sql}) m CROSS JOIN token t ON t.rid = m.rid
      WHERE t.param = ? GROUP BY t.code, t.system`,
    binds: [...matches.binds, param],
  };
}
