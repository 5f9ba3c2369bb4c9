import { DuckDBDateValue, DuckDBTimestampValue, type DuckDBPreparedStatement } from '@duckdb/node-api';
import { dateRange } from '../../../schema/fhir/date-range.ts';
import { QueryError } from './finding.ts';
import type { ParameterType, SqlParameter } from './query.ts';

const DAY = 86_400_000;

/** Binds a text as a value of a type. Returns false when it is none. */
const BIND: Readonly<
  Record<ParameterType, (statement: DuckDBPreparedStatement, index: number, text: string) => boolean>
> = {
  string: (statement, index, text) => {
    statement.bindVarchar(index, text);
    return true;
  },
  boolean: (statement, index, text) => {
    statement.bindBoolean(index, text === 'true');
    return /^(true|false)$/.test(text);
  },
  integer: (statement, index, text) => {
    const isInteger = /^[+-]?\d{1,18}$/.test(text);
    if (isInteger) statement.bindBigInt(index, BigInt(text.replace('+', '')));
    return isInteger;
  },
  decimal: (statement, index, text) => {
    statement.bindDouble(index, Number(text));
    return /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) && Number.isFinite(Number(text));
  },
  date: (statement, index, text) => {
    const at = /^\d{4}-\d\d-\d\d$/.test(text) ? dateRange(text)?.low : undefined;
    if (at !== undefined) statement.bindDate(index, new DuckDBDateValue(at / DAY));
    return at !== undefined;
  },
  dateTime: (statement, index, text) => {
    const isWhole = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d))?$/.test(text);
    const at = isWhole ? dateRange(text)?.low : undefined;
    if (at !== undefined) statement.bindTimestamp(index, new DuckDBTimestampValue(BigInt(at) * 1000n));
    return at !== undefined;
  },
};

const SAID: Readonly<Record<ParameterType, string>> = {
  string: 'a text',
  boolean: 'true or false',
  integer: 'a whole number',
  decimal: 'a number',
  date: 'a whole date, as 2026-11-30',
  dateTime: 'a date with time and time zone, as 2026-11-30T08:00:00Z',
};

/**
 * Binds the given values to the parameters of a statement.
 * @param names parameters of the statement
 * @throws QueryError `parameters` that names those that are missing, unused or of another type
 */
export function bindValues(
  statement: DuckDBPreparedStatement,
  names: readonly string[],
  given: Readonly<Record<string, SqlParameter>>,
): void {
  for (const name of names) {
    const { type, value } = given[name]!;
    if (!BIND[type](statement, statement.parameterIndex(name), String(value)))
      throw new QueryError('parameters', `The parameter ${name} must be ${SAID[type]}.`);
  }
}

/** Compares the parameters of a statement with those that are given. @throws QueryError `parameters` */
export function checkParameters(
  names: readonly string[],
  given: Readonly<Record<string, SqlParameter>>,
): void {
  const missing = names.filter((name) => !Object.hasOwn(given, name));
  const unused = Object.keys(given).filter((name) => !names.includes(name));
  const said = [
    missing.length > 0 && `The statement needs a value for ${missing.map((name) => `:${name}`).join(', ')}.`,
    unused.length > 0 && `The statement has no parameter ${unused.map((name) => `:${name}`).join(', ')}.`,
  ].filter((sentence) => sentence !== false);
  if (said.length > 0) throw new QueryError('parameters', said.join(' '));
}
