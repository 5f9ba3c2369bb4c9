import { Fault } from '../../../schema/fault/fault.ts';
import { alternatives } from '../../../schema/fhir/search-value.ts';
import type { SearchParameter } from '../../../schema/fhir/tables.ts';
import { isResourceType, searchParameter } from '../../../schema/fhir/tables.ts';
import type { SearchParams } from './search-params.ts';

/** One search parameter with its alternatives, or a chain into the resources that it refers to. */
export interface Criterion {
  parameter: SearchParameter;
  modifier?: string;
  /** Alternatives, still with their escapes. */
  values: readonly string[];
  /** Of `patient:Patient.name`: the types to search, and the parameter there (R4 §3.1.1.4.12). */
  chain?: { types: readonly string[]; name: string };
}

/** Modifiers by type of parameter; all types also take `:missing`. */
const MODIFIERS: Partial<Record<SearchParameter['type'], readonly string[]>> = {
  token: ['not', 'text'],
  string: ['exact', 'contains'],
  reference: ['identifier'],
  uri: ['below'],
};

interface ParsedName {
  parameter: SearchParameter;
  modifier?: string;
  chain?: { types: readonly string[]; name: string };
}

/**
 * Reads the name of a parameter: `code`, `code:not`, `subject:Patient`, `patient.identifier`.
 * @returns undefined for a parameter that this type does not have or that is not indexed
 * @throws Fault `unsupported_parameter` for an unknown modifier, which a server must not ignore (R4 §3.1.1.4.4)
 */
export function parseName(type: string, name: string): ParsedName | undefined {
  const [head = '', ...rest] = name.split('.');
  const [code = '', modifier] = head.split(':');
  const parameter = searchParameter(type, code);
  if (!parameter || parameter.type === 'composite' || parameter.type === 'special') return undefined;
  if (rest.length > 0) {
    if (parameter.type !== 'reference' || rest.length > 1) return undefined;
    const types = (modifier ? [modifier] : (parameter.targets ?? [])).filter(isResourceType);
    const known = types.filter((target) => parseName(target, rest[0]!));
    return known.length > 0 ? { parameter, chain: { types: known, name: rest[0]! } } : undefined;
  }
  if (modifier === undefined) return { parameter };
  const isType = parameter.type === 'reference' && /^[A-Z]/.test(modifier);
  if (isType || modifier === 'missing' || MODIFIERS[parameter.type]?.includes(modifier)) {
    return { parameter, modifier };
  }
  throw new Fault('unsupported_parameter', `The modifier :${modifier} is not supported for ${code}.`);
}

/**
 * Reads the parameters of a search. Unknown ones are left out (R4 §3.1.1.1).
 * @throws Fault `invalid_request` for a parameter without a value
 */
export function parseCriteria(type: string, params: SearchParams): Criterion[] {
  return params.flatMap(([name, value]) => {
    const parsed = parseName(type, name);
    if (!parsed) return [];
    const values = alternatives(value);
    if (values.length === 0) throw new Fault('invalid_request', `The search parameter ${name} has no value.`);
    return [{ ...parsed, values }];
  });
}
