import {
  DuckDBTypeId as Id,
  type DuckDBArrayValue,
  type DuckDBBlobValue,
  type DuckDBIntervalValue,
  type DuckDBListValue,
  type DuckDBMapValue,
  type DuckDBStructValue,
  type DuckDBType,
  type DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';
import { csvCell } from '../../../schema/http/csv.ts';
import { QueryError } from './finding.ts';

/** Writes a value that is not null. */
type Write = (value: DuckDBValue) => string;

/** Writes the values of a type as text, and says whether JSON has quotes around it. */
interface TextForm {
  text: Write;
  isQuoted: boolean | ((value: DuckDBValue) => boolean);
}

/** Returns the function that writes values of a type as JSON. Numbers have all their digits. @throws QueryError */
export function jsonWriter(type: DuckDBType): Write {
  const { text, isQuoted } = formOf(type);
  const write: Write =
    typeof isQuoted === 'function'
      ? (value) => (isQuoted(value) ? jsonText(text(value)) : text(value))
      : isQuoted
        ? (value) => jsonText(text(value))
        : text;
  return (value) => (value === null ? 'null' : write(value));
}

/** Matches a text that JSON writes with escapes: quotes, backslashes, controls, and halves of pairs, which have no UTF-8. */
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;
const jsonText = (text: string): string => (ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`);

/** Returns the function that writes values of a type as cells of CSV; what has parts is JSON in its cell. @throws QueryError */
export function csvWriter(type: DuckDBType): Write {
  const { text, isQuoted } = formOf(type);
  const isNumber = isQuoted !== true && !isComposed(type);
  return (value) => (value === null ? '' : isNumber ? text(value) : csvCell(text(value)));
}

const isComposed = ({ typeId }: DuckDBType): boolean =>
  [Id.LIST, Id.ARRAY, Id.STRUCT, Id.MAP, Id.UNION].includes(typeId);

function formOf(type: DuckDBType): TextForm {
  switch (type.typeId) {
    case Id.SQLNULL:
    case Id.BOOLEAN:
    case Id.TINYINT:
    case Id.SMALLINT:
    case Id.INTEGER:
    case Id.BIGINT:
    case Id.HUGEINT:
    case Id.UTINYINT:
    case Id.USMALLINT:
    case Id.UINTEGER:
    case Id.UBIGINT:
    case Id.UHUGEINT:
    case Id.BIGNUM:
    case Id.DECIMAL:
      return { text: String, isQuoted: false };
    case Id.DOUBLE:
      return { text: String, isQuoted: (value) => !Number.isFinite(value) };
    case Id.FLOAT:
      return { text: (value) => floatText(value as number), isQuoted: (value) => !Number.isFinite(value) };
    case Id.VARCHAR:
    case Id.ENUM:
      return { text: (value) => value as string, isQuoted: true };
    case Id.UUID:
    case Id.BIT:
    case Id.TIME:
    case Id.TIME_NS:
    case Id.TIME_TZ:
      return { text: String, isQuoted: true };
    case Id.DATE:
      return { text: (value) => dateText(value as { days: number }), isQuoted: true };
    case Id.TIMESTAMP:
    case Id.TIMESTAMP_TZ:
      return { text: (value) => instantText(value, (value as { micros: bigint }).micros, 6), isQuoted: true };
    case Id.TIMESTAMP_S:
      return {
        text: (value) => instantText(value, (value as { seconds: bigint }).seconds, 0),
        isQuoted: true,
      };
    case Id.TIMESTAMP_MS:
      return { text: (value) => instantText(value, (value as { millis: bigint }).millis, 3), isQuoted: true };
    case Id.TIMESTAMP_NS:
      return { text: (value) => instantText(value, (value as { nanos: bigint }).nanos, 9), isQuoted: true };
    case Id.INTERVAL:
      return { text: (value) => durationText(value as DuckDBIntervalValue), isQuoted: true };
    case Id.BLOB:
      return {
        text: (value) => Buffer.from((value as DuckDBBlobValue).bytes).toString('base64'),
        isQuoted: true,
      };
    default:
      return { text: composedWriter(type), isQuoted: false };
  }
}

/** Returns the function that writes values with parts as JSON. */
function composedWriter(type: DuckDBType): Write {
  switch (type.typeId) {
    case Id.LIST:
    case Id.ARRAY: {
      const item = jsonWriter(type.valueType);
      return (value) => `[${(value as DuckDBListValue | DuckDBArrayValue).items.map(item).join(',')}]`;
    }
    case Id.STRUCT: {
      // The library has the members in an object, by their names.
      const names = new Set(type.entryNames);
      if (names.size < type.entryNames.length || names.has('') || names.has('__proto__'))
        throw new QueryError(
          'statement',
          "A row of values without names of their own cannot be written: name them, as in {'first': 1, 'second': 2}.",
        );
      const members = type.entryNames.map((name, at) => {
        const [key, write] = [JSON.stringify(name), jsonWriter(type.entryTypes[at]!)];
        return ({ entries }: DuckDBStructValue) => `${key}:${write(entries[name] ?? null)}`;
      });
      return (value) => `{${members.map((member) => member(value as DuckDBStructValue)).join(',')}}`;
    }
    case Id.MAP: {
      const [key, item] = [jsonWriter(type.keyType), jsonWriter(type.valueType)];
      const member = (one: DuckDBMapValue['entries'][number]) =>
        `{"key":${key(one.key)},"value":${item(one.value)}}`;
      return (value) => `[${(value as DuckDBMapValue).entries.map(member).join(',')}]`;
    }
    case Id.UNION: {
      const writers = new Map(type.memberTags.map((tag, at) => [tag, jsonWriter(type.memberTypes[at]!)]));
      return (value) => {
        const { tag, value: inner } = value as DuckDBUnionValue;
        return writers.get(tag)!(inner);
      };
    }
    default:
      throw new QueryError(
        'statement',
        `A column of type ${String(type)} cannot be written; cast it to VARCHAR.`,
      );
  }
}

/** Returns the shortest number that is the same FLOAT: 0.1, not 0.10000000149011612. */
function floatText(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(value);
}

const DAY = 86_400_000;
/** Days of an infinite date. */
const INFINITE = 2 ** 31 - 1;
/** Milliseconds at the ends of the years that ISO 8601 writes with four digits. */
const [FIRST, LAST] = [Date.parse('0000-01-01'), Date.parse('9999-12-31T23:59:59Z')];
const isUsual = (milliseconds: number): boolean => milliseconds >= FIRST && milliseconds <= LAST;

/** Returns the date; those before and after the usual years, and infinite ones, as the engine writes them. */
function dateText(value: { days: number }): string {
  if (Math.abs(value.days) === INFINITE) return value.days > 0 ? 'infinity' : '-infinity';
  const milliseconds = value.days * DAY;
  return isUsual(milliseconds) ? new Date(milliseconds).toISOString().slice(0, 10) : String(value);
}

/** Returns a time in UTC, with as many digits of a second as it has. @param digits of the unit: 6 for microseconds */
function instantText(value: DuckDBValue, units: bigint, digits: number): string {
  const perSecond = 10 ** digits;
  // Numbers are four times as fast, and exact for all usual times but those in nanoseconds.
  const whole = Number(units);
  const isExact = Number.isSafeInteger(whole);
  const rest = isExact ? whole % perSecond : Number(units % BigInt(perSecond));
  const fraction = rest < 0 ? rest + perSecond : rest;
  const seconds = isExact
    ? (whole - fraction) / perSecond
    : Number((units - BigInt(fraction)) / BigInt(perSecond));
  if (!isUsual(seconds * 1000)) return String(value);
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  return fraction === 0
    ? `${text}Z`
    : `${text}.${String(fraction).padStart(digits, '0').replace(/0+$/, '')}Z`;
}

/** Returns a duration of ISO 8601. Its parts may differ in sign. */
function durationText({ months, days, micros }: DuckDBIntervalValue): string {
  const part = (count: number, unit: string) => (count === 0 ? '' : `${count}${unit}`);
  const date = part(Math.trunc(months / 12), 'Y') + part(months % 12, 'M') + part(days, 'D');
  const [minutes, rest] = [micros / 60_000_000n, Number(micros % 60_000_000n)];
  const seconds = rest === 0 ? '' : `${(rest / 1_000_000).toFixed(6).replace(/\.?0+$/, '')}S`;
  const time = part(Number(minutes / 60n), 'H') + part(Number(minutes % 60n), 'M') + seconds;
  return date || time ? `P${date}${time && `T${time}`}` : 'PT0S';
}
