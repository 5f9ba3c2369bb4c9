import { bindingParameter } from './reach.ts';
import { oneOf, type Bind, type SqlContext, type Statement } from './sql-context.ts';

/** Conditions that a resource `r` belongs to the patients in reach (SM-16). */

/** A condition on one of the index tables. `where` uses its columns, including `param`. */
export interface Condition<Table extends string = string> {
  table: Table;
  where: string;
  binds: Bind[];
  negated?: boolean;
  /** The lists by which all resources that have the values are found: of each value, or of dates; undefined: none. */
  lists?: 'values' | DateLists;
}

/** Conditions on `date_list`. */
export interface DateLists {
  /** All dates of the list meet the condition. */
  all: Statement;
  /** Some may meet it. */
  some: Statement;
}

/** Returns a condition on values as one on the resource `r`. */
export function check({ table, where, binds, negated }: Condition): Statement {
  const not = negated ? 'NOT ' : '';
  // The few values of a resource are looked up in a list. SQLite would look up each item of the list in the index. A column
  // of another table (`r.id`) is one of an inner search.
  const looked = where.replaceAll(/(?<![\w.])(\w+) (?=IN \(SELECT value FROM json_each)/g, '+$1 ');
  return { sql: `${not}EXISTS (SELECT 1 FROM ${table} WHERE rid = r.rid AND ${looked})`, binds };
}

/** Returns the condition that a patient `r` is one of these. */
export function isOneOf(patients: readonly string[]): Statement {
  const binds: Bind[] = [];
  return { sql: `r.id ${oneOf(patients, binds)}`, binds };
}

/** Returns the condition that a resource of a type with a binding parameter belongs to one of the patients. */
export function belonging(
  type: string,
  patients: readonly string[],
  context: SqlContext,
): Condition<'reference'> {
  const binds: Bind[] = [context.param(type, bindingParameter(type) ?? '') ?? -1];
  const targets = patients.map((id) => `Patient/${id}`);
  const where = `param = ? AND (target ${oneOf(targets, binds)})`;
  return { table: 'reference', where, binds, lists: 'values' };
}
