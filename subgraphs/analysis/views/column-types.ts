import { dateRange } from '../../../schema/fhir/date-range.ts';

/** Types of columns, as DuckDB names them. A column with `collection: true` is a list of one of them. */
export type SqlType = 'VARCHAR' | 'BOOLEAN' | 'INTEGER' | 'BIGINT' | 'DOUBLE' | 'DATE' | 'TIMESTAMP';

/** A column of a table. */
export interface TableColumn {
  name: string;
  sqlType: SqlType;
  /** True when a value is a list. */
  collection: boolean;
  description: string | undefined;
}

/**
 * Column types of FHIR's primitive types; texts for all others.
 *
 * A date of FHIR may have a year alone, or no time. A column of such a type has the first moment that the date can mean, in
 * UTC, so that it can be compared, sorted and grouped: `2019-05` is 2019-05-01, `2019-05-03T01:00:00+02:00` is the second at
 * 23:00. Nothing is lost by that: each table has the text as it was written in a second column, `…_text`, which a view gets
 * by the type `string`. A time without a zone, and a day, are taken as UTC; it has microseconds. Decimals are 64-bit numbers: 15
 * digits.
 */
const SQL_TYPES: Readonly<Record<string, SqlType>> = {
  boolean: 'BOOLEAN',
  integer: 'INTEGER',
  positiveInt: 'INTEGER',
  unsignedInt: 'INTEGER',
  integer64: 'BIGINT',
  decimal: 'DOUBLE',
  date: 'DATE',
  dateTime: 'TIMESTAMP',
  instant: 'TIMESTAMP',
};

const TEXTS = 'base64Binary canonical code id markdown oid string time uri url uuid xhtml'.split(' ');

/** Types that a column may have. */
export const FHIR_TYPES: ReadonlySet<string> = new Set([...Object.keys(SQL_TYPES), ...TEXTS]);

/** Types of ISO SQL that the tag `ansi/type` of a column may name (SQL on FHIR, "Type hinting"). */
const ANSI_TYPES: Readonly<Record<string, SqlType>> = {
  'CHARACTER VARYING': 'VARCHAR',
  VARCHAR: 'VARCHAR',
  BOOLEAN: 'BOOLEAN',
  INT: 'INTEGER',
  INTEGER: 'INTEGER',
  BIGINT: 'BIGINT',
  'DOUBLE PRECISION': 'DOUBLE',
  DATE: 'DATE',
  TIMESTAMP: 'TIMESTAMP',
};

/** Returns the column type of a FHIR type; a text where it is not known. */
export const sqlTypeOf = (type: string | undefined): SqlType => SQL_TYPES[type ?? ''] ?? 'VARCHAR';

/** Returns the column type of a tag; undefined for one that is not supported. */
export const ansiType = (name: string): SqlType | undefined => ANSI_TYPES[name.toUpperCase()];

/** Column types of values that a column of the key can take too, without a change of their meaning. */
const TAKES: Readonly<Record<SqlType, readonly SqlType[]>> = {
  VARCHAR: ['BOOLEAN', 'INTEGER', 'BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP'],
  BOOLEAN: [],
  INTEGER: ['BIGINT'],
  BIGINT: ['INTEGER'],
  DOUBLE: ['INTEGER', 'BIGINT'],
  DATE: ['TIMESTAMP'],
  TIMESTAMP: ['DATE'],
};

/** Returns true when a column may have values of a FHIR type. */
export function mayTake(column: SqlType, type: string): boolean {
  const given = sqlTypeOf(type);
  // A text may be a date: only its value shows it.
  return given === column || TAKES[column].includes(given) || (given === 'VARCHAR' && isDate(column));
}

const isDate = (type: SqlType): boolean => type === 'DATE' || type === 'TIMESTAMP';

/** A value of a column: days since 1970 for DATE, microseconds since 1970 for TIMESTAMP; null for none. */
export type ColumnValue = string | boolean | number | bigint | null | readonly ColumnValue[];

/** Matches a time that is more precise than milliseconds. */
const MICROS = /^.{19}\.\d{3}(\d{1,3})/;

/** Returns the microseconds of a dateTime that its milliseconds do not have. */
function microsOf(text: string): bigint {
  const [, digits] = MICROS.exec(text) ?? [];
  return digits === undefined ? 0n : BigInt(digits.padEnd(3, '0'));
}

const MAX_INTEGER = 2 ** 31;
const DAY = 24 * 3600 * 1000;

/**
 * Conversion of values of FHIR JSON to those of a column. It returns undefined for a value of another type. A text that is no
 * date is empty in a column of dates; a column of texts keeps it.
 */
export const CONVERSIONS: Readonly<Record<SqlType, (value: unknown) => ColumnValue | undefined>> = {
  VARCHAR: (value) => {
    if (typeof value === 'string') return value;
    return typeof value === 'object' ? undefined : String(value);
  },
  BOOLEAN: (value) => (typeof value === 'boolean' ? value : undefined),
  INTEGER: (value) =>
    Number.isInteger(value) && Math.abs(value as number) < MAX_INTEGER ? (value as number) : undefined,
  BIGINT: (value) => {
    const number = typeof value === 'string' && /^[+-]?\d+$/.test(value) ? Number(value) : value;
    return Number.isSafeInteger(number) ? BigInt(number as number) : undefined;
  },
  DOUBLE: (value) => (typeof value === 'number' ? value : undefined),
  DATE: (value) => {
    if (typeof value !== 'string') return undefined;
    const range = dateRange(value.slice(0, 10));
    return range ? Math.floor(range.low / DAY) : null;
  },
  TIMESTAMP: (value) => {
    if (typeof value !== 'string') return undefined;
    const range = dateRange(value);
    return range ? BigInt(range.low) * 1000n + microsOf(value) : null;
  },
};
