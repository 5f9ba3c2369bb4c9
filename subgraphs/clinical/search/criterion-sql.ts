import { Fault } from '../../../schema/fault/fault.ts';
import { dateComparisons, dateCriterion } from '../../../schema/fhir/date-range.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import {
  readToken,
  splitEscaped,
  splitPrefix,
  unescapeValue,
  type Prefix,
} from '../../../schema/fhir/search-value.ts';
import type { Criterion } from './criteria.ts';
import { exactCode, foldCode, foldString, IMPLIED_SYSTEM } from './index-rows.ts';
import { numberSpan } from './range.ts';

export type Bind = string | number;

/**
 * Returns the SQL condition of a criterion on the columns of its index table; its alternatives are joined by OR.
 * @param now milliseconds since the epoch, for `ap`
 * @param binds receives the values
 * @throws Fault `invalid_request` for a value that cannot be read
 */
export function comparison(criterion: Criterion, now: number, binds: Bind[]): string {
  const { parameter, modifier, values } = criterion;
  const each = (one: (value: string, binds: Bind[]) => string): string =>
    values.map((value) => one(value, binds)).join(' OR ');
  switch (parameter.type) {
    case 'token':
      return each(modifier === 'text' ? stringPrefix : token);
    case 'string':
      return each(
        modifier === 'exact' ? stringExact : modifier === 'contains' ? stringContains : stringPrefix,
      );
    case 'uri':
      return modifier === 'below' ? each(uriBelow) : `value ${oneOf(values.map(unescapeValue), binds)}`;
    case 'reference':
      if (modifier === 'identifier') return each(token);
      return `target ${oneOf(referenceTargets(criterion), binds)}`;
    case 'date':
      return each((value, into) => date(parameter.code, value, now, into));
    default:
      return each((value, into) => quantity(parameter.code, value, into));
  }
}

function token(text: string, binds: Bind[]): string {
  const { system, value } = readToken(text);
  if (value === undefined) return push(binds, 'system = ?', system ?? '');
  const compared = push(binds, 'code IN (?, ?)', foldCode(value), exactCode(value));
  if (system === undefined) return compared;
  return push(binds, `${compared} AND system IN (?, '${IMPLIED_SYSTEM}')`, system);
}

function stringPrefix(value: string, binds: Bind[]): string {
  const folded = foldString(unescapeValue(value));
  return push(binds, 'value >= ? AND value < ?', folded, `${folded}\u{10FFFF}`);
}

const stringExact = (value: string, binds: Bind[]): string => push(binds, 'exact = ?', unescapeValue(value));

const stringContains = (value: string, binds: Bind[]): string =>
  push(binds, 'instr(value, ?) > 0', foldString(unescapeValue(value)));

function uriBelow(value: string, binds: Bind[]): string {
  const base = unescapeValue(value);
  return push(binds, 'value = ? OR (value >= ? AND value < ?)', base, `${base}/`, `${base}0`);
}

/** Reads targets: `Patient/1`, `1` (with all types of the parameter, or the one in `subject:Patient`), or a URL. */
function referenceTargets({ parameter, modifier, values }: Criterion): string[] {
  return values.map(unescapeValue).flatMap((value) => {
    if (/^(https?|urn):/.test(value)) {
      const relative = /([A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64})$/.exec(value)?.[1];
      return relative ? [value, relative] : [value];
    }
    if (!FHIR_ID.test(value)) return [value];
    return (modifier ? [modifier] : (parameter.targets ?? [])).map((type) => `${type}/${value}`);
  });
}

/** Returns the comparisons of a date search with the columns `low` and `high`. */
function date(code: string, value: string, now: number, binds: Bind[]): string {
  const alternatives = dateComparisons(dateCriterion(code, value), now);
  return alternatives
    .map((comparisons) => {
      const sql = comparisons.map(([end, operator, time]) => push(binds, `${end} ${operator} ?`, time));
      return `(${sql.join(' AND ')})`;
    })
    .join(' OR ');
}

/** Compares numbers and quantities: `5.4`, `gt5.4|http://unitsofmeasure.org|mg`, `5.4||mg`. */
function quantity(code: string, value: string, binds: Bind[]): string {
  const { prefix, value: rest } = splitPrefix(value);
  const [text = '', system = '', unit = ''] = splitEscaped(rest, '|').map(unescapeValue);
  const span = numberSpan(text);
  if (!span) throw new Fault('invalid_request', `The value of ${code} is not a number.`);
  const compared = compareNumber(prefix, span, binds);
  if (unit === '') return compared;
  binds.push(unit, unit);
  if (system !== '') binds.push(system);
  return `(${compared}) AND (code = ? OR unit = ?)${system === '' ? '' : ' AND system = ?'}`;
}

function compareNumber(
  prefix: Prefix,
  { value, low, high }: { value: number; low: number; high: number },
  binds: Bind[],
): string {
  switch (prefix) {
    case 'ne':
      return push(binds, 'NOT (low >= ? AND high < ?)', low, high);
    case 'lt':
    case 'eb':
      return push(binds, prefix === 'lt' ? 'low < ?' : 'high < ?', value);
    case 'gt':
    case 'sa':
      return push(binds, prefix === 'gt' ? 'high > ?' : 'low > ?', value);
    case 'le':
      return push(binds, 'low <= ?', value);
    case 'ge':
      return push(binds, 'high >= ?', value);
    case 'ap':
      return push(
        binds,
        'low <= ? AND high >= ?',
        value + Math.abs(value) / 10,
        value - Math.abs(value) / 10,
      );
    default:
      return push(binds, 'low >= ? AND high < ?', low, high);
  }
}

/** Returns `= ?` for one value. Several are one JSON array, so that the SQL text does not depend on their number. */
export function oneOf(values: readonly string[], binds: Bind[]): string {
  if (values.length === 1) return push(binds, '= ?', values[0]!);
  return push(binds, 'IN (SELECT value FROM json_each(?))', JSON.stringify(values));
}

function push(binds: Bind[], sql: string, ...values: Bind[]): string {
  binds.push(...values);
  return sql;
}
