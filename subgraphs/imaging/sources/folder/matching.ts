import { Tag } from '../../../../schema/dicom/dicom.ts';
import { Fault } from '../../../../schema/fault/fault.ts';
import type { Level } from '../source.ts';
import { foldName, KEYS, normal, timeFrom, timeTo, type Matching } from '../../facts/attributes.ts';

/** Part of a WHERE clause, and the values of its placeholders. */
export interface Condition {
  sql: string;
  values: (string | number)[];
}

/** A condition on the rows of one level. */
export interface Restriction extends Condition {
  level: Level;
}

/** Aliases of the tables in a search. */
const ALIAS: Record<Level, string> = { study: 's', series: 'r', instance: 'i' };
const ORDER: readonly Level[] = ['study', 'series', 'instance'];
const KEYWORD = new Map(
  Object.entries(Tag).map(([keyword, tag]) => [tag as string, keyword as keyof typeof Tag]),
);

/**
 * Converts a key and its alternatives to SQL, PS3.4 §C.2.2.2: single value, list of UIDs, wildcard or range. An empty
 * value matches all.
 * @returns undefined when the key restricts nothing
 * @throws Fault `unsupported_parameter` for a key that the index does not have at this level or above
 */
export function condition(
  level: Level,
  tag: string,
  alternatives: readonly string[],
): Restriction | undefined {
  const restricting = alternatives.filter((value) => value !== '' && value !== '*');
  const keyword = KEYWORD.get(tag.split('.').at(-1)!);
  if (tag === Tag.ModalitiesInStudy) {
    return restricting.length < alternatives.length
      ? undefined
      : { level: 'study', ...modalitiesInStudy(restricting) };
  }
  const key = keyword && KEYS[keyword];
  if (!key || ORDER.indexOf(key.level) > ORDER.indexOf(level)) {
    throw new Fault(
      'unsupported_parameter',
      `${keyword ?? tag} is not a key of a search for ${level} objects here.`,
    );
  }
  if (alternatives.length === 0 || restricting.length < alternatives.length) return undefined;
  const { level: ofKey, matching } = key;
  const column = `${ALIAS[ofKey]}.${keyword}`;
  if (matching === 'uid')
    return { level: ofKey, sql: `${column} IN (${marks(restricting)})`, values: [...restricting] };
  return { level: ofKey, ...any(restricting.map((value) => one(column, matching, value))) };
}

function modalitiesInStudy(alternatives: readonly string[]): Condition {
  const modality = any(alternatives.map((value) => one('m.Modality', 'text', value)));
  return {
    sql: `EXISTS (SELECT 1 FROM series m WHERE m.StudyInstanceUID = s.StudyInstanceUID AND ${modality.sql})`,
    values: modality.values,
  };
}

function one(column: string, matching: Matching, value: string): Condition {
  if (matching === 'date')
    return range(
      column,
      value.replaceAll('.', ''),
      (v) => v,
      (v) => v,
    );
  if (matching === 'time') return range(column, value, timeFrom, timeTo);
  if (matching === 'number') return { sql: `${column} = ?`, values: [normal('number', value) ?? NaN] };
  if (matching === 'name') return name(column, foldName(value));
  if (!/[*?]/.test(value)) return { sql: `${column} = ?`, values: [value] };
  return { sql: `${column} GLOB ?`, values: [glob(value)] };
}

/**
 * Matches `a-b`, `a-` and `-b` with both ends, PS3.4 §C.2.2.2.5. A partial value is a range of all that it may mean.
 */
function range(
  column: string,
  value: string,
  from: (value: string) => string,
  to: (value: string) => string,
): Condition {
  const at = value.indexOf('-');
  const start = at < 0 ? value : value.slice(0, at);
  const end = at < 0 ? value : value.slice(at + 1);
  const parts: Condition[] = [];
  if (start) parts.push({ sql: `${column} >= ?`, values: [from(start)] });
  if (end) parts.push({ sql: `${column} <= ?`, values: [to(end)] });
  if (parts.length === 0) return { sql: `${column} IS NOT NULL`, values: [] };
  return { sql: parts.map(({ sql }) => sql).join(' AND '), values: parts.flatMap(({ values }) => values) };
}

/** Matches a name as a whole or in one of its three groups, PS3.5 §6.2.1.1. `^` at the end have no meaning. */
function name(column: string, value: string): Condition {
  const pattern = glob(value.replace(/\^+$/, ''));
  const patterns = value.includes('=')
    ? [pattern, `${pattern}=*`]
    : [`${pattern}=*=*`, `*=${pattern}=*`, `*=*=${pattern}`];
  return any(patterns.map((pattern) => ({ sql: `${column} GLOB ?`, values: [pattern] })));
}

/** Escapes brackets for SQLite's GLOB, which otherwise has DICOM's wildcards. */
function glob(value: string): string {
  return value.replaceAll('[', '[[]');
}

function any(conditions: readonly Condition[]): Condition {
  return {
    sql: `(${conditions.map(({ sql }) => `(${sql})`).join(' OR ')})`,
    values: conditions.flatMap(({ values }) => values),
  };
}

function marks(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}
