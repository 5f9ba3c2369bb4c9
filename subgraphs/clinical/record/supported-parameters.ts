import { Fault } from '../../../schema/fault/fault.ts';
import { nearestName, quotedName } from '../../../schema/fhir/nearest-name.ts';
import { leaveOut } from '../../../schema/fhir/search/search-request.ts';
import { searchParameter, searchParameters } from '../../../schema/fhir/tables.ts';
import { requireFewConditions } from '../../../schema/http/request-bounds.ts';
import type { Search } from './search.ts';
import type { ClinicalSource, SearchParams } from '../sources/source.ts';

interface Supported {
  applied: SearchParams;
  sort?: string;
  /** One fault for each parameter and sort key that was dropped. */
  ignored: Fault[];
}

/**
 * Drops search parameters and sort keys that a source does not support (R4 §3.1.1.1).
 * @throws Fault `unsupported_parameter` for one of them when `strict`, `invalid_request` for too many supported ones
 */
export function supportedParameters(
  source: ClinicalSource,
  type: string,
  { params, sort, strict = false }: Search,
): Supported {
  const ignored: Fault[] = [];
  const isKnown = (name: string, what: string, supports: boolean): boolean => {
    if (!supports) leaveOut(unknownParameter(source, type, { name, what }), { strict, ignored });
    return supports;
  };
  const applied = params.filter(([name]) => isKnown(name, 'search parameter', source.supports(type, name)));
  const keys = (sort?.split(',') ?? []).filter((key) => {
    const name = key.replace(/^-/, '');
    return isKnown(name, 'sort key', isSortKey(type, name) && source.supports(type, name));
  });
  requireFewConditions(applied.length, keys.length);
  return { applied, ...(keys.length > 0 && { sort: keys.join(',') }), ignored };
}

/** Returns true for a parameter that a source can search by. One that no search here can use is refused, not unknown. */
export function canSearchBy(source: Pick<ClinicalSource, 'supports'>, type: string, code: string): boolean {
  try {
    return source.supports(type, code);
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/** A sort key is a plain parameter, without modifier and chain, whose values have an order (R4 §3.1.1.5.1). */
function isSortKey(type: string, name: string): boolean {
  const parameter = searchParameter(type, name);
  return parameter !== undefined && parameter.type !== 'composite' && parameter.type !== 'special';
}

function unknownParameter(
  source: ClinicalSource,
  type: string,
  { name, what }: { name: string; what: string },
): Fault {
  const [special] = /^_(has|list|filter)\b[\w.:-]{0,120}/.exec(name) ?? [];
  if (special !== undefined) {
    const message = `The FHIR server of this record is not asked for ${special}: leave it out.`;
    return new Fault('unsupported_parameter', message);
  }
  const codes = searchParameters(type).map(({ code }) => code);
  const nearest = nearestName(
    name,
    codes.filter((code) => canSearchBy(source, type, code)),
  );
  return new Fault(
    'unsupported_parameter',
    `${type} has no ${what} ${quotedName(name)} here.${nearest === undefined ? '' : ` The nearest is "${nearest}".`}`,
  );
}
