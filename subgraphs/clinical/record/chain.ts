import type { Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { permitting, requireScope } from '../../../schema/access/scopes.ts';
import { requireSearchInReach } from '../authorization/binding.ts';
import { reachOf } from '../search/reach.ts';
import type { SearchParams } from '../search/search-params.ts';
import { parseFilter, type Filter } from '../../../schema/fhir/search/filter.ts';
import { parseName, typeSearched } from '../search/criteria.ts';

/**
 * Checks that the caller may use the chains, `_has`, `_list` and `_filter` of a search. They reveal data of other types, so
 * they need the scope for each of these types, and for all its resources (SM-6). The source binds them to the patients in
 * reach (SM-16).
 * @throws Fault `insufficient_scope`; for a caller bound to patients `forbidden` when they lead to a type that is never shown
 * to them or name a patient out of reach, `invalid_request` when a chain could lead to several types and names none
 */
export function requireInnerSearches(access: Access, type: string, params: SearchParams): void {
  for (const [name, value] of params) {
    for (const inner of innerSearches(type, name, value)) requireInner(access, inner);
  }
}

function requireInner(access: Access, inner: InnerSearch): void {
  const { types, name, value, by, asked } = inner;
  if (by !== 'comparison') for (const type of types) requireWholeType(access, type, inner);
  if (access.patients === 'all') return;
  const [type = '', ...others] = types;
  if (others.length > 0) {
    const head = asked.slice(0, -name.length - 1);
    throw new Fault('invalid_request', `${asked} needs a type, for example ${head}:${type}.${name}.`);
  }
  const reach = reachOf(type);
  if (reach !== 'compartment' && reach !== 'shared') {
    throw new Fault('forbidden', `${type} cannot be searched with this token.`);
  }
  if (reach === 'compartment') requireSearchInReach(access, type, [[name, value]]);
}

function requireWholeType(access: Access, type: string, { by, asked }: InnerSearch): void {
  const isRead = by === 'chain' && type === 'Patient';
  if (isRead && permitting(access.permissions, 'Patient', 'r').length > 0) return;
  const { constraints } = requireScope(access, type, 's');
  if (!constraints) return;
  throw new Fault(
    'insufficient_scope',
    `The search parameter ${asked} needs a scope for all ${type} resources.`,
  );
}

/** A search inside another: of a chain, of `_has`, of `_list`, or one comparison of a `_filter`. */
interface InnerSearch {
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
function innerSearches(type: string, asked: string, value: string): InnerSearch[] {
  if (asked === '_list') {
    return [{ types: ['List'], name: '_id', value, by: 'list', asked }];
  }
  if (asked === '_filter') {
    return comparisonsOf(parseFilter(type, value, typeSearched)).flatMap((term) => [
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
