import { Fault } from '../../../schema/fault/fault.ts';
import { searchParameter } from '../../../schema/fhir/tables.ts';
import { requireFewConditions } from '../../../schema/http/request-bounds.ts';
import type { Search } from './search.ts';
import type { ClinicalSource, SearchParams } from '../sources/source.ts';

/**
 * Drops search parameters and sort keys that a source does not support (R4 §3.1.1.1).
 * @throws Fault `unsupported_parameter` for one of them when `strict`, `invalid_request` for too many supported ones
 */
export function supportedParameters(
  source: ClinicalSource,
  type: string,
  { params, sort, strict }: Search,
): { applied: SearchParams; sort?: string } {
  const unknown = (name: string): boolean => !source.supports(type, name);
  const isNoKey = (name: string): boolean => unknown(name) || !isSortable(type, name);
  const keys = (sort?.split(',') ?? []).map((key) => ({ key, name: key.replace(/^-/, '') }));
  const left = [
    ...params.map(([name]) => name).filter(unknown),
    ...keys.map(({ name }) => name).filter(isNoKey),
  ];
  if (strict && left.length > 0) {
    throw new Fault('unsupported_parameter', `${type} cannot be searched by ${left.join(', ')} here.`);
  }
  const applied = params.filter(([name]) => !unknown(name));
  const known = keys.filter(({ name }) => !isNoKey(name)).map(({ key }) => key);
  requireFewConditions(applied.length, known.length);
  return {
    applied,
    ...(known.length > 0 && { sort: known.join(',') }),
  };
}

/** Returns true for a plain parameter whose values have an order. */
function isSortable(type: string, name: string): boolean {
  const kind = searchParameter(type, name)?.type;
  return kind !== undefined && kind !== 'composite' && kind !== 'special';
}
