import { Fault } from '../../schema/fault.ts';
import type { Search } from './clinical.ts';
import type { ClinicalSource, SearchParams } from './sources/source.ts';

/**
 * What a source can answer of a search; the rest is left out, as R4 §3.1.1.1 wants it.
 * @throws Fault `unsupported_parameter` under `strict` where something is left out
 */
export function applicable(
  source: ClinicalSource,
  type: string,
  { params, sort, strict }: Search,
): { applied: SearchParams; sort?: string } {
  const unknown = (name: string): boolean => !source.supports(type, name);
  const keys = (sort?.split(',') ?? []).map((key) => ({ key, name: key.replace(/^-/, '') }));
  const left = [...params.map(([name]) => name), ...keys.map(({ name }) => name)].filter(unknown);
  if (strict && left.length > 0) {
    throw new Fault('unsupported_parameter', `${type} cannot be searched by ${left.join(', ')} here.`);
  }
  const known = keys.filter(({ name }) => !unknown(name)).map(({ key }) => key);
  return {
    applied: params.filter(([name]) => !unknown(name)),
    ...(known.length > 0 && { sort: known.join(',') }),
  };
}
