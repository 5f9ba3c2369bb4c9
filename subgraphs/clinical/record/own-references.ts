import { splitEscaped } from '../../../schema/fhir/search/search-value.ts';
import { parseName } from '../search/criteria.ts';
import type { SearchParams } from '../search/search-params.ts';

/**
 * Adds the relative form to absolute references to this record: `https://gateway/tenant/fhir/Patient/1` also finds
 * `Patient/1` (R4 §3.1.1.4.10).
 * @param base absolute URL of this record's FHIR API, without a slash at its end
 */
export function withOwnReferences(type: string, params: SearchParams, base: string): SearchParams {
  return params.map(([name, value]) => {
    if (!value.includes(`${base}/`) || !isReference(type, name)) return [name, value];
    const values = splitEscaped(value, ',').flatMap((one) =>
      one.startsWith(`${base}/`) ? [one, one.slice(base.length + 1)] : [one],
    );
    return [name, values.join(',')];
  });
}

/** Also true for the end of a chain. */
function isReference(type: string, name: string): boolean {
  const { parameter, modifier, chain, has } = parseName(type, name) ?? {};
  const inner = chain?.name ?? has?.name;
  if (inner !== undefined) return isReference(chain?.types[0] ?? has!.type, inner);
  return parameter?.type === 'reference' && modifier !== 'identifier' && modifier !== 'missing';
}
