import { Fault } from '../../../schema/fault/fault.ts';
import { quotedName } from '../../../schema/fhir/nearest-name.ts';
import type { ParameterType, SqlParameter } from '../sql/query.ts';
import type { Given } from './given.ts';

/** Types of SQL by those of FHIR; all others are texts. */
const TYPES: Readonly<Record<string, ParameterType>> = {
  boolean: 'boolean',
  integer: 'integer',
  positiveInt: 'integer',
  unsignedInt: 'integer',
  integer64: 'integer',
  decimal: 'decimal',
  date: 'date',
  dateTime: 'dateTime',
  instant: 'dateTime',
};

/** Returns the type of SQL for a type of FHIR. */
export const parameterType = (type: string): ParameterType => TYPES[type] ?? 'string';

/** Types that a parameter can take too, without a change of the meaning of their values. */
const TAKES: Partial<Record<ParameterType, readonly ParameterType[]>> = {
  decimal: ['integer'],
  dateTime: ['date'],
};

/**
 * Returns the values for the parameters of a statement.
 * @param declared types by name, of a Library; undefined: the values give the types
 * @throws Fault `invalid_request` that names a parameter that is given twice, not declared, or of another type
 */
export function sqlValues(
  given: readonly Given[],
  declared?: ReadonlyMap<string, ParameterType>,
): Record<string, SqlParameter> {
  const values = new Map<string, SqlParameter>();
  for (const { name, type, value } of given) {
    const said = quotedName(name);
    if (values.has(name)) throw new Fault('invalid_request', `The parameter ${said} is given twice.`);
    if (!['string', 'number', 'boolean'].includes(typeof value) || type === undefined)
      throw new Fault('invalid_request', `The parameter ${said} needs a simple value.`);
    const own = parameterType(type[0]!.toLowerCase() + type.slice(1));
    const wanted = declared?.get(name);
    if (declared && !wanted) throw new Fault('invalid_request', `There is no parameter ${said}.`);
    if (wanted && type !== 'url' && wanted !== own && !TAKES[wanted]?.includes(own))
      throw new Fault('invalid_request', `The parameter ${said} takes the type ${wanted}.`);
    values.set(name, { type: wanted ?? own, value: value as string | number | boolean });
  }
  return Object.fromEntries(values);
}
