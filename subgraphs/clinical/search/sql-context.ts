export type Bind = string | number;

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

/** Returns `= ?` for one value. Several are one JSON array, so that the SQL text does not depend on their number. */
export function oneOf(values: readonly string[], binds: Bind[]): string {
  if (values.length === 1) return push(binds, '= ?', values[0]!);
  return push(binds, 'IN (SELECT value FROM json_each(?))', JSON.stringify(values));
}

/** Joins statements by a word with its spaces, such as ` AND `. */
export function joined(statements: readonly Statement[], word: string): Statement {
  return {
    sql: statements.map(({ sql }) => sql).join(word),
    binds: statements.flatMap(({ binds }) => binds),
  };
}

/** Returns the SQL after it has added its values to `binds`. */
export function push(binds: Bind[], sql: string, ...values: Bind[]): string {
  binds.push(...values);
  return sql;
}
