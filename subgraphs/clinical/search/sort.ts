import { searchParameter } from '../../../schema/fhir/tables.ts';
import type { Bind, SqlContext, Statement } from './sql-context.ts';

const SORT_COLUMNS: Record<string, readonly [table: string, column: string]> = {
  date: ['date', 'low'],
  string: ['string', 'value'],
  token: ['token', 'code'],
  reference: ['reference', 'target'],
  number: ['number', 'low'],
  quantity: ['number', 'low'],
  uri: ['uri', 'value'],
};

/** Returns the `ORDER BY` of `_sort=-date,code`. Resources without a value come last; unknown keys are left out. */
export function orderBy(type: string, sort: string | undefined, context: SqlContext): Statement {
  const binds: Bind[] = [];
  const keys = (sort ?? '').split(',').flatMap((key) => {
    const descending = key.startsWith('-');
    const code = descending ? key.slice(1) : key;
    const direction = descending ? 'DESC' : 'ASC';
    if (code === '_id') return [`r.id ${direction}`];
    const param = context.param(type, code);
    const [table, column] = SORT_COLUMNS[searchParameter(type, code)?.type ?? ''] ?? [];
    if (param === undefined || !table || !column) return [];
    binds.push(param);
    const pick = `${descending ? 'max' : 'min'}(${column})`;
    return [`(SELECT ${pick} FROM ${table} WHERE rid = r.rid AND param = ?) ${direction} NULLS LAST`];
  });
  return { sql: `ORDER BY ${[...keys, 'r.rid'].join(', ')}`, binds };
}
