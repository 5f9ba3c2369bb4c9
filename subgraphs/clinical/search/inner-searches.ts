import { parseName } from './criteria.ts';
import type { Filter } from '../../../schema/fhir/search/filter.ts';
import { parseFilter } from './filter.ts';

/** A search inside another: of a chain, of `_has`, of `_list`, or one comparison of a `_filter`. */
export interface InnerSearch {
  /** The types that are searched; of a chain without a type, all that the reference may lead to. */
  types: readonly string[];
  name: string;
  value: string;
  /** `comparison`: of the searched type itself. */
  by: 'chain' | 'has' | 'list' | 'comparison';
  /** The client's spelling of the parameter. */
  asked: string;
}

/**
 * Returns all searches inside a search parameter, at every depth: what they find decides what the client sees, so each needs
 * the same rights as a search of its own.
 * @throws Fault `unsupported_parameter` and `invalid_request` for a form that is not supported
 */
export function innerSearches(type: string, asked: string, value: string): InnerSearch[] {
  if (asked === '_list') {
    return [{ types: ['List'], name: '_id', value, by: 'list', asked }];
  }
  if (asked === '_filter') {
    return comparisonsOf(parseFilter(type, value)).flatMap((term) => [
      { types: [type], ...term, by: 'comparison' as const, asked: term.name },
      ...innerSearches(type, term.name, term.value),
    ]);
  }
  if (!asked.includes('.') && !asked.startsWith('_has')) return [];
  const { chain, has } = parseName(type, asked) ?? {};
  const name = chain?.name ?? has?.name;
  if (name === undefined) return [];
  const types = chain?.types ?? [has!.type];
  return [
    { types, name, value, by: chain ? 'chain' : 'has', asked },
    ...types.flatMap((target) => innerSearches(target, name, value)),
  ];
}

function comparisonsOf(filter: Filter): { name: string; value: string }[] {
  if ('and' in filter) return filter.and.flatMap(comparisonsOf);
  if ('or' in filter) return filter.or.flatMap(comparisonsOf);
  return 'not' in filter ? comparisonsOf(filter.not) : [filter];
}
