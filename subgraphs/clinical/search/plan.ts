import type { Criterion } from './criteria.ts';
import { isAfter, orderBy, ridDirection, sortKeys, type SortKey } from './sort.ts';
import {
  allOf,
  byYield,
  conditionsOf,
  outermostWithinReach,
  type Conditions,
  type SqlContext,
  type Statement,
} from './sql.ts';
import { needsResource, rowsOf, setsOf, sizeOf, type ResourceSet } from './condition-rows.ts';
import { check } from './reach-sql.ts';

/**
 * Plan to find one page of a search. There are two ways, and which one is shorter is known only from the data: to collect
 * the matches of one condition, check the others and sort; or to walk through all resources in the wanted order and check
 * all conditions until the page is full. Statements select the columns `rid`, `k0`, `k1`, …, and take the parameters
 * `$limit` and `$offset`; after a place also `$rid`, `$k0`, …; those of `sinceDate` also `$since`.
 */
export interface SearchPlan {
  /** Selects `k0`, `k1`, … of the resource `$rid`, if this search finds it. Undefined: the page begins the list. */
  place?: Statement;
  /** Ways to collect, the one that is likely to narrow most first. */
  collect: readonly Collection[];
  /** Ways to walk, one after the other: through the resources with a first key, then those without; only of a whole plan. */
  walks?: readonly Walk[];
  /** Counts all matches, without a way to collect. */
  count: Statement;
  /**
   * The resources of each condition, by which all matches are counted; only of a whole plan, and only if all conditions are on
   * values.
   */
  sets?: readonly ResourceSet[];
  /** Number of resources of the type. */
  ofType: number;
  /** True when every resource of the type matches. */
  isWholeType: boolean;
  /** Ways to collect select only what has a first key of `$since` or later, unless that is NULL. */
  sinceDate?: boolean;
}

export interface Collection {
  /** Counts the rows of the condition, at most `$most`. */
  size: Statement;
  /** True when `size` reads only rows that it counts. A range of dates or numbers is read to its end. */
  isBounded: boolean;
  page: Statement;
  count: Statement;
}

export interface Walk {
  /** Undefined: through the resources without a first key, after all others. */
  begins: 'anywhere' | 'without value';
  page: Statement;
  /** Selects the end of a part of `$window` rows, as `u0` and `urid`; nothing when fewer are left. */
  end?: Statement;
  /** As `page`, up to the end: with the parameters `$u0` and `$urid`. */
  part?: Statement;
}

/** Facts about the store that only planning needs. */
export interface PlanContext extends SqlContext {
  /** Returns true when every resource of the type has a value. */
  isComplete(type: string, code: string): boolean;
  /** Returns the number of resources of a type. */
  count(type: string): number;
}

/** A search to be planned. */
export interface PlannedSearch {
  type: string;
  criteria: readonly Criterion[];
  sort: string | undefined;
  /** True when the page comes after a place. */
  after: boolean;
  /** Plans no walks. */
  onlyShort: boolean;
  /** As that of the plan. */
  sinceDate?: boolean;
}

/** @throws Fault `invalid_request` for a value that cannot be read */
export function planSearch(search: PlannedSearch, context: PlanContext): SearchPlan {
  const { type, criteria, sort, after, onlyShort, sinceDate = false } = search;
  const conditions = outermostWithinReach(type, conditionsOf(type, criteria, context), context);
  const keys = sortKeys(type, sort, context);
  const all = [...conditions.own, ...conditions.values.map(check)];
  const ofType = { sql: 'r.type = ?', binds: [type] };
  const counted = allOf([ofType, ...all]);
  return {
    ...(after && { place: placeOf(keys, [ofType, ...all]) }),
    collect: collections(type, conditions, { keys, after, sinceDate }),
    ...(!onlyShort && { walks: walks(type, conditions, { keys, after, context }) }),
    ...(!onlyShort && conditions.own.length === 0 && { sets: setsOf(type, conditions) }),
    ofType: context.count(type),
    count: {
      sql: `SELECT count(*) FROM resource r INDEXED BY resource_type WHERE ${counted.sql}`,
      binds: counted.binds,
    },
    isWholeType: all.length === 0,
    ...(sinceDate && { sinceDate }),
  };
}

function placeOf(keys: readonly SortKey[], conditions: readonly Statement[]): Statement {
  const place = allOf([{ sql: 'r.rid = $rid', binds: [] }, ...conditions]);
  return {
    sql: `SELECT ${['r.rid', ...columnsOf(keys)].join(', ')} FROM resource r WHERE ${place.sql}`,
    binds: [...bindsOf(keys), ...place.binds],
  };
}

interface Order {
  keys: readonly SortKey[];
  after: boolean;
}

type CollectedOrder = Order & { sinceDate: boolean };

const columnsOf = (keys: readonly SortKey[]): string[] =>
  keys.map(({ value }, at) => `${value.sql} AS k${at}`);
const bindsOf = (keys: readonly SortKey[]) => keys.flatMap(({ value }) => value.binds);

/** Returns a way to collect for each condition that selects resources. */
function collections(type: string, { own, byId, values }: Conditions, order: CollectedOrder): Collection[] {
  if (byId) {
    const selecting = allOf([{ sql: 'r.type = ?', binds: [type] }, ...own]);
    const rows = { sql: `resource r WHERE ${selecting.sql}`, binds: selecting.binds };
    const size = { sql: `SELECT count(*) FROM (SELECT 1 FROM ${rows.sql} LIMIT $most)`, binds: rows.binds };
    return [{ size, isBounded: true, ...collected(rows, values.map(check), order) }];
  }
  return values
    .filter(({ negated }) => !negated)
    .sort(byYield)
    .map((driver) => {
      const others = [...own, ...values.filter((other) => other !== driver).map(check)];
      return {
        size: sizeOf(driver),
        isBounded: driver.table !== 'date' && driver.table !== 'number',
        ...collected(rowsOf(driver, needsResource(own, order.keys)), others, order),
      };
    });
}

function collected(
  rows: Statement,
  others: readonly Statement[],
  { keys, after, sinceDate }: CollectedOrder,
): Pick<Collection, 'page' | 'count'> {
  const checks = allOf([rows, ...others]);
  // The date is looked at first: most resources are older.
  const late = sinceDate ? keys.slice(0, 1).map(isSince) : [];
  const wanted = allOf([rows, ...late, ...others]);
  const columns = ['r.rid AS rid', ...columnsOf(keys)].join(', ');
  const found = `SELECT ${columns} FROM ${wanted.sql}`;
  return {
    page: {
      sql: `SELECT * FROM (${found})${after ? ` WHERE ${isAfter(keys)}` : ''}
        ORDER BY ${orderBy(keys)} LIMIT $limit OFFSET $offset`,
      binds: [...bindsOf(keys), ...wanted.binds],
    },
    count: { sql: `SELECT count(*) FROM ${checks.sql}`, binds: checks.binds },
  };
}

const isSince = ({ value: { sql, binds } }: SortKey): Statement => ({
  sql: `($since IS NULL OR ${sql} >= $since)`,
  binds,
});

function walks(
  type: string,
  { own, values }: Conditions,
  { keys, after, context }: Order & { context: PlanContext },
): Walk[] {
  const [first] = keys;
  const checks = [...own, ...values.map(check)];
  if (!first) return [walkOfType(type, checks, after)];
  if (!first.index) return [walkById(type, checks, { keys, after })];
  const { table, param, code } = first.index;
  const withValue = walkOfIndex(first as IndexKey, checks, {
    keys,
    after,
    withResource: needsResource(own, keys),
  });
  if (context.isComplete(type, code)) return [withValue];
  const missing = {
    sql: `NOT EXISTS (SELECT 1 FROM ${table} WHERE rid = r.rid AND param = ?)`,
    binds: [param],
  };
  return [withValue, walkWithout(type, [missing, ...checks], { keys, after })];
}

/** Returns a walk through the resources without a first key, which come last. */
function walkWithout(type: string, checks: readonly Statement[], { keys, after }: Order): Walk {
  const others = keys.slice(1);
  const direction = ridDirection(keys);
  // Before the place are those with a first key.
  const beyond =
    direction === 'ASC' ? 'r.rid > iif($k0 IS NULL, $rid, 0)' : `r.rid < iif($k0 IS NULL, $rid, 1e15)`;
  const byRow = others.length === 0;
  const where = allOf([
    { sql: 'r.type = ?', binds: [type] },
    ...(after && byRow ? [{ sql: beyond, binds: [] }] : []),
    ...checks,
  ]);
  const columns = [
    'r.rid AS rid',
    'NULL AS k0',
    ...others.map(({ value }, at) => `${value.sql} AS k${at + 1}`),
  ];
  const found = `SELECT ${columns.join(', ')} FROM resource r INDEXED BY resource_type WHERE ${where.sql}`;
  const sql = byRow
    ? `${found} ORDER BY r.rid ${direction}`
    : `SELECT * FROM (${found})${after ? ` WHERE ${isAfter(keys)}` : ''} ORDER BY ${orderBy(keys)}`;
  const binds = [...bindsOf(others), ...where.binds];
  return { begins: 'without value', page: { sql: `${sql} LIMIT $limit OFFSET $offset`, binds } };
}

/** Returns a walk through all resources of a type in the order of the store. */
function walkOfType(type: string, checks: readonly Statement[], after: boolean): Walk {
  const where = allOf([
    { sql: 'r.type = ?', binds: [type] },
    ...(after ? [{ sql: 'r.rid > $rid', binds: [] }] : []),
  ]);
  const rows = 'resource r INDEXED BY resource_type';
  const page = (upTo: string): Statement => {
    const all = allOf([where, ...(upTo ? [{ sql: upTo, binds: [] }] : []), ...checks]);
    const sql = `SELECT r.rid AS rid FROM ${rows} WHERE ${all.sql} ORDER BY r.rid LIMIT $limit OFFSET $offset`;
    return { sql, binds: all.binds };
  };
  return {
    begins: 'anywhere',
    page: page(''),
    end: {
      sql: `SELECT NULL AS u0, r.rid AS urid FROM ${rows} WHERE ${where.sql} ORDER BY r.rid LIMIT 1 OFFSET $window`,
      binds: where.binds,
    },
    part: page('r.rid <= $urid'),
  };
}

/** Returns a walk in the order of `_id`. */
function walkById(type: string, checks: readonly Statement[], { keys, after }: Order): Walk {
  const { descending } = keys[0]!;
  // The id is unique: no other key, and no row, decides.
  const beyond = { sql: `r.id ${descending ? '<' : '>'} $k0`, binds: [] };
  const where = allOf([{ sql: 'r.type = ?', binds: [type] }, ...(after ? [beyond] : []), ...checks]);
  const columns = ['r.rid AS rid', ...columnsOf(keys)].join(', ');
  return {
    begins: 'anywhere',
    page: {
      sql: `SELECT ${columns} FROM resource r INDEXED BY resource_id WHERE ${where.sql}
        ORDER BY r.id ${descending ? 'DESC' : 'ASC'} LIMIT $limit OFFSET $offset`,
      binds: [...bindsOf(keys), ...where.binds],
    },
  };
}

type IndexKey = SortKey & { index: NonNullable<SortKey['index']> };

/** Returns a walk in the order of the first key, through the index of its values. */
function walkOfIndex(
  { descending, index }: IndexKey,
  checks: readonly Statement[],
  { keys, after, withResource }: Order & { withResource: boolean },
): Walk {
  const { table, column, param } = index;
  const others = keys.slice(1);
  const [before, since] = descending ? ['>', '<'] : ['<', '>'];
  const rows = `${table} v INDEXED BY ${table}_value`;
  const from = withResource
    ? `${rows} CROSS JOIN resource r ON r.rid = v.rid`
    : `${table} r INDEXED BY ${table}_value`;
  const v = withResource ? 'v' : 'r';
  const ofParam = { sql: `${v}.param = ?`, binds: [param] };
  const direction = descending ? 'DESC' : 'ASC';
  const columns = [
    `${v}.rid AS rid`,
    `${v}.${column} AS k0`,
    ...others.map(({ value }, at) => `${value.sql} AS k${at + 1}`),
  ].join(', ');
  // With more keys, the resources with the same first value are in another order than in the index.
  const begin = (alias: string): Statement[] => {
    if (!after) return [];
    const exact = others.length === 0;
    const sql = exact
      ? `(${alias}.${column}, ${alias}.rid) ${since} ($k0, $rid)`
      : `${alias}.${column} ${since}= $k0`;
    return [{ sql, binds: [] }];
  };
  const page = (upTo: string): Statement => {
    const end = upTo ? [{ sql: upTo, binds: [] }] : [];
    const all = allOf([ofParam, ...begin(v), ...end, onlyFirst(v, index, before), ...checks]);
    const found = `SELECT ${columns} FROM ${from} WHERE ${all.sql}`;
    const binds = [...bindsOf(others), ...all.binds];
    const limit = 'LIMIT $limit OFFSET $offset';
    if (others.length === 0) {
      return { sql: `${found} ORDER BY ${v}.${column} ${direction}, ${v}.rid ${direction} ${limit}`, binds };
    }
    const later = after ? ` WHERE ${isAfter(keys)}` : '';
    return { sql: `SELECT * FROM (${found})${later} ORDER BY ${orderBy(keys)} ${limit}`, binds };
  };
  const start = allOf([{ sql: 'v.param = ?', binds: [param] }, ...begin('v')]);
  return {
    begins: 'anywhere',
    page: page(''),
    end: {
      sql: `SELECT v.${column} AS u0, v.rid AS urid FROM ${rows} WHERE ${start.sql}
        ORDER BY v.${column} ${direction}, v.rid ${direction} LIMIT 1 OFFSET $window`,
      binds: start.binds,
    },
    part: page(`${v}.${column} ${before}= $u0`),
  };
}

/** Of several values of a resource, only the first in the wanted order counts. */
function onlyFirst(v: string, { table, column, others }: IndexKey['index'], before: string): Statement {
  const sql = [`w.${column} ${before} ${v}.${column}`];
  if (others.length > 0) {
    const list = (alias: string): string => `(${others.map((name) => `${alias}.${name}`).join(', ')})`;
    sql.push(`(w.${column} = ${v}.${column} AND ${list('w')} < ${list(v)})`);
  }
  const where = `w.rid = ${v}.rid AND w.param = ${v}.param AND (${sql.join(' OR ')})`;
  return { sql: `NOT EXISTS (SELECT 1 FROM ${table} w WHERE ${where})`, binds: [] };
}
