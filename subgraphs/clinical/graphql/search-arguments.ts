import { Fault } from '../../../schema/fault/fault.ts';
import { joinValues } from '../../../schema/http/request-bounds.ts';
import {
  argumentName,
  defaultReverseParameter,
  reverseParameters,
  searchParameters,
  tables,
} from '../../../schema/fhir/tables.ts';
import type { Search } from '../record/search.ts';
import type { Args } from './resolver.ts';
import { filterParams } from '../search/filter.ts';

/**
 * Returns the parameter that `_reference` names, or the default one (FG-3).
 * @throws Fault `invalid_request` when there are several and none is named
 */
export function referenceOf(source: string, target: string, { _reference }: Args): string {
  const codes = reverseParameters(source, target);
  const code =
    typeof _reference === 'string'
      ? codes.find((candidate) => argumentName(candidate) === _reference)
      : defaultReverseParameter(source, target);
  if (code === undefined) {
    const choices = codes.map(argumentName).join(', ');
    throw new Fault(
      'invalid_request',
      `${source} refers to ${target} in several ways: name one of ${choices} as _reference.`,
    );
  }
  return code;
}

const NOT_PARAMETERS = new Set(['_count', '_offset', '_sort', '_cursor', '_filter', '_reference']);
const codesByArgument: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(
  Object.keys(tables.searchParameters).map((type) => [
    type,
    new Map(searchParameters(type).map(({ code }) => [argumentName(code), code])),
  ]),
);

/** Converts GraphQL arguments to a search. The values of one argument are alternatives (FG-2). */
export function searchOf(type: string, args: Args): Search {
  const params: [string, string][] = [];
  for (const [name, value] of Object.entries(args)) {
    const code = NOT_PARAMETERS.has(name) ? undefined : codesByArgument.get(type)?.get(name);
    if (code !== undefined && Array.isArray(value) && value.length > 0) {
      params.push([code, joinValues(name, value)]);
    }
  }
  const { _count, _offset, _sort, _cursor, _filter } = args as {
    _count?: number | null;
    _offset?: number | null;
    _sort?: string[] | null;
    _cursor?: string | null;
    _filter?: string | null;
  };
  if ((_offset ?? 0) < 0) throw new Fault('invalid_request', '_offset must not be negative.');
  return {
    // The schema offers the argument. If the source ignored it, the search would find too much.
    strict: true,
    params: _filter ? [...params, ...filterParams(type, _filter)] : params,
    ...(typeof _count === 'number' && { count: _count }),
    ...(typeof _offset === 'number' && { offset: _offset }),
    ...(_sort &&
      _sort.length > 0 && {
        sort: joinValues('_sort', _sort).split(',').map(sortKey).join(','),
      }),
    ...(typeof _cursor === 'string' && { cursor: _cursor }),
  };
}

/** Reads a sort key, which may be spelt like an argument (`_` for `-`). */
function sortKey(key: string): string {
  const [, sign = '', name = ''] = /^(-?)(.*)$/.exec(key.trim()) ?? [];
  return sign + (name.startsWith('_') ? name : name.replaceAll('_', '-'));
}
