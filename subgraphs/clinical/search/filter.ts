import type { Filter, SearchedType } from '../../../schema/fhir/search/filter.ts';
import * as filter from '../../../schema/fhir/search/filter.ts';
import { parseName } from './criteria.ts';

/** `_filter` of the record: chains can be compared too. */

/** Returns the type of the parameter that is compared: the last one of a chain. */
export const typeSearched: SearchedType = (type, name) => {
  const parsed = parseName(type, name);
  const [target] = parsed?.chain?.types ?? [];
  return target === undefined ? parsed?.parameter.type : typeSearched(target, parsed!.chain!.name);
};

/** Reads a `_filter`. @throws Fault like `parseFilter` of `schema/fhir/filter.ts` */
export function parseFilter(type: string, text: string): Filter {
  return filter.parseFilter(type, text, typeSearched);
}
