import { searchParameter } from '../../../schema/fhir/tables.ts';
import type { SqlContext, Statement } from './sql-context.ts';

/** The table and the column by which values of a type are sorted. The value indexes begin with it. */
const SORT_COLUMNS: Record<string, readonly [table: string, column: string, others: readonly string[]]> = {
  date: ['date', 'low', ['high']],
  string: ['string', 'value', ['exact']],
  token: ['token', 'code', ['system']],
  reference: ['reference', 'target', []],
  number: ['number', 'low', ['high', 'system', 'code', 'unit']],
  quantity: ['number', 'low', ['high', 'system', 'code', 'unit']],
  uri: ['uri', 'value', []],
};

/** One key of `_sort`. */
export interface SortKey {
  descending: boolean;
  /** Its value of the resource `r`: the smallest, or the largest when descending; NULL when it has none. */
  value: Statement;
  /** The index of its values; undefined for `_id`, which is the key of the resource. */
  index?: { table: string; column: string; others: readonly string[]; param: number; code: string };
}

/** Reads `_sort=-date,code`. Unknown keys are left out. */
export function sortKeys(type: string, sort: string | undefined, context: SqlContext): SortKey[] {
  return (sort ?? '').split(',').flatMap((key): SortKey[] => {
    const descending = key.startsWith('-');
    const code = descending ? key.slice(1) : key;
    if (code === '_id') return [{ descending, value: { sql: 'r.id', binds: [] } }];
    const param = context.param(type, code);
    const [table, column, others] = SORT_COLUMNS[searchParameter(type, code)?.type ?? ''] ?? [];
    if (param === undefined || !table || !column || !others) return [];
    const pick = `${descending ? 'max' : 'min'}(${column})`;
    const sql = `(SELECT ${pick} FROM ${table} WHERE rid = r.rid AND param = ?)`;
    return [{ descending, value: { sql, binds: [param] }, index: { table, column, others, param, code } }];
  });
}

/** Returns the `ORDER BY` on the columns `k0`, `k1`, … and `rid`. Resources without a value come last. */
export function orderBy(keys: readonly SortKey[]): string {
  const columns = keys.map(({ descending }, at) => `k${at} ${descending ? 'DESC' : 'ASC'} NULLS LAST`);
  return [...columns, `rid ${ridDirection(keys)}`].join(', ');
}

/** Equal resources are in the order of the first key, so that an index can be read in one direction. */
export function ridDirection(keys: readonly SortKey[]): 'ASC' | 'DESC' {
  return keys[0]?.descending ? 'DESC' : 'ASC';
}

/**
 * Returns the condition that a row with the columns `k0`, `k1`, … and `rid` comes after the resource whose values are the
 * parameters `$k0`, `$k1`, … and `$rid`.
 */
export function isAfter(keys: readonly SortKey[]): string {
  const last = `rid ${ridDirection(keys) === 'DESC' ? '<' : '>'} $rid`;
  return keys.reduceRight((rest, { descending }, at) => {
    const [key, place] = [`k${at}`, `$k${at}`];
    const beyond = `${key} ${descending ? '<' : '>'} ${place}`;
    return `(${beyond} OR (${key} IS NULL AND ${place} IS NOT NULL) OR (${key} IS ${place} AND ${rest}))`;
  }, last);
}
