import { Fault } from '../../../schema/fault/fault.ts';
import { joinValues } from '../../../schema/http/request-bounds.ts';
import { argumentConditions, didYouMean } from '../../../schema/fhir/argument-values.ts';
import {
  argumentName,
  defaultReverseParameter,
  reverseParameters,
  searchParameter,
  searchParameters,
  tables,
  type SearchParameter,
} from '../../../schema/fhir/tables.ts';
import type { Search } from '../record/search.ts';
import type { SearchParams } from '../sources/source.ts';
import { parseFilter } from '../search/filter.ts';

export type Args = Record<string, unknown>;

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

const codesByArgument: ReadonlyMap<string, ReadonlyMap<string, SearchParameter>> = new Map(
  Object.keys(tables.searchParameters).map((type) => [
    type,
    new Map(searchParameters(type).map((parameter) => [argumentName(parameter.code), parameter])),
  ]),
);

/** The arguments of a list that are not search parameters of the type. */
interface Controls {
  _count?: number | null;
  _offset?: number | null;
  _sort?: readonly string[] | null;
  _cursor?: string | null;
  _filter?: string | null;
  _chain?: readonly string[] | null;
  _has?: readonly string[] | null;
  _list?: readonly string[] | null;
}

/**
 * Converts GraphQL arguments to a search: all of them must match (FG-2, FG-20). It is strict: an argument that the source
 * cannot apply is refused, because the list would be too long without it.
 * @throws Fault `invalid_request` for values that cannot be read, `unsupported_parameter` for an unknown sort key
 */
export function searchOf(type: string, args: Args): Search {
  const { _count, _offset, _sort, _cursor, _filter, _chain, _has, _list, _reference, ...named } =
    args as Controls & Args;
  if ((_offset ?? 0) < 0) throw new Fault('invalid_request', '_offset must not be negative.');
  const params = [
    ...Object.entries(named).flatMap(([name, value]) => conditionsOf(type, name, value)),
    ...(_chain ?? []).map(chainCondition),
    ...(_has ?? []).map(hasCondition),
    ...(_list ? [['_list', joinValues('_list', _list)] as const] : []),
    ...(_filter ? parseFilter(type, _filter) : []),
  ];
  return {
    ...{ params, strict: true },
    ...(typeof _count === 'number' && { count: _count }),
    ...(typeof _offset === 'number' && { offset: _offset }),
    ...(_sort && _sort.length > 0 && { sort: sortKeys(type, _sort) }),
    ...(typeof _cursor === 'string' && { cursor: _cursor }),
  };
}

function conditionsOf(type: string, name: string, value: unknown): SearchParams {
  if (value === undefined || value === null) return [];
  const parameter = codesByArgument.get(type)?.get(name);
  if (!parameter || !Array.isArray(value)) throw unsupported(type, name);
  return argumentConditions(type, parameter, value);
}

/** `subject:Patient.name=peter` (R4 §3.1.1.4.12). */
const CHAIN = /^([a-z_][\w-]*(?::[A-Z]\w*)?(?:\.[a-z_][\w-]*(?::\w+)?)+)=(.+)$/s;
/** `Observation:patient:code=1234-5` (R4 §3.1.1.4.13), also with a chain or another `_has` at its end. */
const HAS = /^(?:_has:)?([A-Z]\w*:[a-z_][\w-]*:[\w.:-]+)=(.+)$/s;

function chainCondition(text: string): SearchParams[number] {
  const [, name, value] = CHAIN.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new Fault(
    'invalid_request',
    '_chain takes a chained parameter, such as "subject:Patient.name=peter".',
  );
}

function hasCondition(text: string): SearchParams[number] {
  const [, name, value] = HAS.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [`_has:${name}`, value];
  throw new Fault(
    'invalid_request',
    '_has takes a type, its reference and its parameter, such as "Observation:patient:code=1234-5".',
  );
}

/** Returns sort keys for a source; each may be spelt like an argument (`_` for `-`). */
function sortKeys(type: string, keys: readonly string[]): string {
  const asked = joinValues('_sort', keys).split(',');
  return asked
    .map((key) => {
      const [, sign = '', name = ''] = /^(-?)(.*)$/s.exec(key.trim()) ?? [];
      const parameter = searchParameter(type, name) ?? codesByArgument.get(type)?.get(name);
      if (!parameter) throw unsupported(type, name);
      return sign + parameter.code;
    })
    .join(',');
}

function unsupported(type: string, name: string): Fault {
  const message = `${type} cannot be searched or sorted by a name of the request.${didYouMean(type, name)}`;
  return new Fault('unsupported_parameter', message);
}
