import { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import type { SearchedType } from '../../../schema/fhir/search/filter.ts';
import { alternatives } from '../../../schema/fhir/search/search-value.ts';
import {
  clinicalResources,
  reverseParameters,
  searchParameter,
  type SearchParameter,
} from '../../../schema/fhir/tables.ts';
import type { SearchParams } from './search-params.ts';

/** A search in the resources that are referred to: `name` may be a chain or a `_has` again (R4 §3.1.1.4.12). */
export interface Chain {
  types: readonly string[];
  name: string;
}

/** `_has:Observation:patient:code`: a search in the resources that refer to this one (R4 §3.1.1.4.13). */
export interface ReverseChain {
  type: string;
  /** Code of the reference parameter of that type. */
  reference: string;
  name: string;
}

/** The name of a search parameter, read. */
export interface ParsedName {
  /** `_has`, `_list` and `_filter` have a parameter of the type `special`. */
  parameter: SearchParameter;
  modifier?: string;
  chain?: Chain;
  has?: ReverseChain;
  /** Of a composite: the parameters that give type and comparison of its parts. */
  parts?: readonly SearchParameter[];
}

/** One search parameter with its alternatives. */
export interface Criterion extends ParsedName {
  /** Alternatives, still with their escapes; the whole text of a `_filter`. */
  values: readonly string[];
}

/** Returns true for a condition that compares values as they are in an index. */
export function isPlain({ parameter, modifier, chain }: Criterion): boolean {
  return parameter.type !== 'special' && modifier === undefined && chain === undefined;
}

/** Modifiers by type of parameter; all types but composites also take `:missing`. */
const MODIFIERS: Partial<Record<SearchParameter['type'], readonly string[]>> = {
  token: ['not', 'text', 'of-type'],
  string: ['exact', 'contains'],
  reference: ['identifier'],
  uri: ['below', 'above'],
};

/** Largest number of references that a parameter follows, forwards and backwards. */
const MAX_HOPS = 3;

/** Largest number of types that a chain without types leads to. */
const MAX_CHAIN_TYPES = 50;

const special = (code: string): SearchParameter => ({
  code,
  type: 'special',
  description: '',
  expression: '',
});
const SPECIAL = { _has: special('_has'), _list: special('_list'), _filter: special('_filter') };

const unsupported = (message: string): Fault => new Fault('unsupported_parameter', message);

/**
 * Reads the name of a parameter: `code`, `code:not`, `subject:Patient`, `patient.general-practitioner.name`,
 * `_has:Observation:patient:code`.
 * @returns undefined for a parameter that this type does not have
 * @throws Fault `unsupported_parameter` for a known parameter with a modifier or in a form that is not supported: a server
 * must not ignore it (R4 §3.1.1.4.4)
 */
export function parseName(type: string, name: string, hops = MAX_HOPS): ParsedName | undefined {
  const isHas = /^_has(?![^:.])/.test(name);
  const dot = isHas ? -1 : name.indexOf('.');
  const head = dot < 0 ? name : name.slice(0, dot);
  const [code = '', modifier, ...more] = head.split(':');
  if (isHas) return { parameter: SPECIAL._has, has: reverseChain(type, name, hops) };
  const parameter = Object.hasOwn(SPECIAL, code) ? SPECIAL[code as '_list'] : searchParameter(type, code);
  if (!parameter) return undefined;
  if (more.length > 0) throw unsupported(`The search parameter ${code} takes one modifier.`);
  if (dot >= 0) return { parameter, chain: chainOf({ parameter, modifier }, name.slice(dot + 1), hops) };
  if (parameter.type === 'special' && (!Object.hasOwn(SPECIAL, code) || modifier !== undefined)) {
    throw unsupported(`The search parameter ${head} is not supported.`);
  }
  const parts = parameter.type === 'composite' ? partsOf(type, parameter) : undefined;
  if (modifier === undefined) return { parameter, ...(parts && { parts }) };
  if (!takesModifier(parameter, modifier)) {
    throw unsupported(`The modifier :${modifier} is not supported for ${code}.`);
  }
  return { parameter, modifier };
}

function takesModifier({ code, type, targets }: SearchParameter, modifier: string): boolean {
  if (type === 'composite') return false;
  if (modifier === 'missing') return true;
  if (code === '_id') return modifier === 'not';
  if (type === 'reference' && targets?.includes(modifier)) return true;
  return MODIFIERS[type]?.includes(modifier) ?? false;
}

function partsOf(type: string, { code, components }: SearchParameter): SearchParameter[] {
  return (components ?? []).map((component) => {
    const part = searchParameter(type, component.code);
    if (!part) throw unsupported(`The search parameter ${code} is not supported.`);
    return part;
  });
}

/** @param head `modifier` is the type in `subject:Patient`; `patient` and `subject` without it refer to patients */
function chainOf(
  { parameter, modifier }: { parameter: SearchParameter; modifier: string | undefined },
  name: string,
  hops: number,
): Chain {
  const { code, targets = [] } = parameter;
  if (parameter.type !== 'reference') throw unsupported(`${code} is no reference: nothing can follow it.`);
  if (hops === 0) throw unsupported(`A search parameter follows at most ${MAX_HOPS} references.`);
  const isAboutPatients = ['patient', 'subject'].includes(code) && targets.includes('Patient');
  const wanted = modifier === undefined ? (isAboutPatients ? ['Patient'] : targets) : [modifier];
  const possible = wanted.filter((target) => targets.includes(target) && clinicalResources.includes(target));
  const [only, ...others] = possible;
  const types = possible.filter((target) => mayKnow(target, name, hops - 1));
  if (types.length === 0) {
    // The fault of the only type says what is not supported there.
    if (only !== undefined && others.length === 0) parseName(only, name, hops - 1);
    throw unsupported(`The resources that ${code} refers to cannot be searched by ${name}.`);
  }
  const searches = types.reduce((sum, target) => sum + widthOf(target, name), 0);
  if (searches > MAX_CHAIN_TYPES) {
    throw unsupported(`${code} refers to many types: name one, for example ${code}:${types[0]}.${name}.`);
  }
  return { types, name };
}

function mayKnow(type: string, name: string, hops: number): boolean {
  try {
    return parseName(type, name, hops) !== undefined;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/** Returns the number of searches that a name means. */
function widthOf(type: string, name: string): number {
  const { chain } = parseName(type, name) ?? {};
  return chain ? chain.types.reduce((sum, target) => sum + widthOf(target, chain.name), 0) : 1;
}

function reverseChain(type: string, name: string, hops: number): ReverseChain {
  const [, source = '', reference = '', inner = ''] = /^_has:(\w+):([\w-]+):(.+)$/.exec(name) ?? [];
  if (inner === '') throw unsupported('_has is written _has:Type:reference:parameter.');
  if (hops === 0) throw unsupported(`A search parameter follows at most ${MAX_HOPS} references.`);
  const parameter = clinicalResources.includes(source) ? searchParameter(source, reference) : undefined;
  if (parameter?.type !== 'reference' || !parameter.targets?.includes(type)) {
    throw unsupported(noReference(type, source));
  }
  if (!parseName(source, inner, hops - 1)) {
    throw unsupported(`${source} cannot be searched by ${inner}.`);
  }
  return { type: source, reference, name: inner };
}

/** Says why a `_has` cannot search resources of a type, and what can. */
function noReference(type: string, source: string): string {
  if (source === 'ImagingStudy') {
    return `${type} is not searched by studies here. Search studies by the record, such as ImagingStudy?patient._has:Condition:patient:code=….`;
  }
  const names = reverseParameters(source, type).join(', ');
  const known = clinicalResources.includes(source)
    ? ` ${source} ${names === '' ? `has no parameter that refers to ${type}` : `refers to ${type} by ${names}`}.`
    : '';
  return `_has needs a type and its parameter that refers to ${type}.${known}`;
}

/**
 * Reads the parameters of a search. Unknown ones are left out (R4 §3.1.1.1): the caller says which these are.
 * @throws Fault `invalid_request` for a parameter without a value, `unsupported_parameter` as `parseName`
 */
export function parseCriteria(type: string, params: SearchParams): Criterion[] {
  return params.flatMap(([name, value]) => {
    const parsed = parseName(type, name);
    if (!parsed) return [];
    const { parameter } = parsed;
    const values = parameter === SPECIAL._filter ? [value] : alternatives(value);
    if (values.length === 0) throw new Fault('invalid_request', `The search parameter ${name} has no value.`);
    if (parameter === SPECIAL._list && !values.every((id) => FHIR_ID.test(id))) {
      throw unsupported('_list takes the id of a List; lists such as $current-problems are not supported.');
    }
    return [{ ...parsed, values }];
  });
}

/** Returns the type of the parameter that a `_filter` compares: the last one of a chain. */
export const typeSearched: SearchedType = (type, name) => {
  const parsed = parseName(type, name);
  const [target] = parsed?.chain?.types ?? [];
  return target === undefined ? parsed?.parameter.type : typeSearched(target, parsed!.chain!.name);
};
