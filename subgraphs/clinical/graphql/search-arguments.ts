import { Fault } from '../../../schema/fault/fault.ts';
import { requirePageSize } from '../../../schema/fhir/search/paging.ts';
import { searchArguments, type Args } from '../../../schema/fhir/search/search-arguments.ts';
import { argumentName, defaultReverseParameter, reverseParameters } from '../../../schema/fhir/tables.ts';
import type { Search } from '../record/search.ts';
import { typeSearched } from '../search/criteria.ts';

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

/**
 * Converts GraphQL arguments to a search.
 * @throws Fault like `searchArguments`, and `invalid_request` for a negative offset and a page that is too large
 */
export function searchOf(type: string, args: Args): Search {
  const { _count, _offset, _cursor } = args;
  if (typeof _offset === 'number' && _offset < 0) {
    throw new Fault('invalid_request', '_offset must not be negative.');
  }
  if (typeof _count === 'number') requirePageSize(type, _count);
  return {
    // The schema offers the argument. If the source ignored it, the search would find too much.
    strict: true,
    ...searchArguments(type, args, typeSearched),
    ...(typeof _count === 'number' && { count: _count }),
    ...(typeof _offset === 'number' && { offset: _offset }),
    ...(typeof _cursor === 'string' && { cursor: _cursor }),
  };
}
