import { Fault } from '../../fault/fault.ts';
import { joinValues } from '../../http/request-bounds.ts';
import { argumentConditions, didYouMean } from './argument-values.ts';
import { filterParams, type SearchedType } from './filter.ts';
import type { Parameter } from './search-request.ts';
import { parameterOfArgument, searchParameter } from '../tables.ts';

/** Arguments of a GraphQL field, with their names. */
export type Args = Readonly<Record<string, unknown>>;

/** The search that the arguments of a list or connection ask for. */
interface AskedList {
  /** Search parameters, all of which must match. */
  params: Parameter[];
  /** Sort keys by their FHIR codes, such as `-date,code`. */
  sort?: string;
}

/** Arguments that choose a page or a reverse reference. */
const CONTROLS = new Set(['_count', '_offset', '_cursor', '_reference']);

/**
 * Converts the arguments of a list or connection to search parameters (FG-2, FG-20). It is strict: what cannot be applied
 * is refused, because without it the list would be too long.
 * @param type of the resources in the list
 * @param searched what a `_filter` can compare; by default plain parameters
 * @throws Fault `invalid_request` for values that cannot be read, `unsupported_parameter` for an unknown name
 */
export function searchArguments(type: string, args: Args, searched?: SearchedType): AskedList {
  const params: Parameter[] = [];
  let sort: string | undefined;
  for (const [name, value] of Object.entries(args)) {
    if (value === null || value === undefined || CONTROLS.has(name)) continue;
    const values = [value].flat() as string[];
    if (name === '_sort') sort = sortKeys(type, values);
    else if (name === '_filter') params.push(...values.flatMap((text) => filterParams(type, text, searched)));
    else params.push(...conditionsOf(type, name, values));
  }
  return { params, ...(sort && { sort }) };
}

function conditionsOf(type: string, name: string, values: readonly string[]): Parameter[] {
  if (name === '_chain') return values.map(chainCondition);
  if (name === '_has') return values.map(hasCondition);
  if (name === '_list') return [['_list', listIds(values)]];
  const parameter = parameterOfArgument(type, name);
  if (!parameter) throw unknownName(type, name);
  return argumentConditions(type, parameter, values);
}

/** `subject:Patient.name=peter` (R4 §3.1.1.4.12), also with a `_has` at its end. */
const CHAIN =
  /^([a-z_][\w-]*(?::[A-Z]\w*)?(?:\.[a-z_][\w-]*(?::\w+)?)*\.(?:_has(?::[\w.-]+){3,}|[a-z_][\w-]*(?::\w+)?))=(.+)$/s;
/** `Observation:patient:code=1234-5` (R4 §3.1.1.4.13), also with a chain or another `_has` at its end. */
const HAS = /^(?:_has:)?([A-Z]\w*:[a-z_][\w-]*:[\w.:-]+)=(.+)$/s;

function chainCondition(text: string): Parameter {
  const [, name, value] = CHAIN.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  const message = '_chain takes a chained parameter, such as "subject:Patient.name=peter".';
  throw new Fault('invalid_request', message);
}

function hasCondition(text: string): Parameter {
  const [, name, value] = HAS.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [`_has:${name}`, value];
  const message =
    '_has takes a type, its reference and its parameter, such as "Observation:patient:code=1234-5".';
  throw new Fault('invalid_request', message);
}

function listIds(values: readonly string[]): string {
  if (values.length > 0 && values.every((value) => value.trim() !== '')) return joinValues('_list', values);
  throw new Fault('invalid_request', '_list takes the id of a List, such as "42".');
}

/** Returns sort keys by their FHIR codes; each may be spelt like an argument (`_` for `-`). */
function sortKeys(type: string, keys: readonly string[]): string {
  const asked = keys.length > 0 ? joinValues('_sort', keys).split(',') : [];
  return asked
    .map((key) => {
      const name = key.trim().replace(/^-/, '');
      const parameter = searchParameter(type, name) ?? parameterOfArgument(type, name);
      if (!parameter) throw unknownName(type, name);
      return (key.trim().startsWith('-') ? '-' : '') + parameter.code;
    })
    .join(',');
}

function unknownName(type: string, name: string): Fault {
  const message = `${type} cannot be searched or sorted by a name of the request.${didYouMean(type, name)}`;
  return new Fault('unsupported_parameter', message);
}
