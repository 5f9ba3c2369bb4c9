import type { Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { permitting, requireScope } from '../../../schema/access/scopes.ts';
import { reachOf } from '../search/reach.ts';
import { parseName } from '../search/criteria.ts';

/**
 * Chained search parameters: their syntax and the rights that they need. For callers bound to patients `clinical.ts`
 * follows them; for others the store does, in `search/sql.ts`.
 */

/** A chained parameter, such as `encounter.date` of Condition: a search in the resources referred to (R4 §3.1.1.4.12). */
export interface Chain {
  /** The reference parameter that is followed. */
  code: string;
  types: readonly string[];
  /** The parameter of the resources referred to. */
  name: string;
}

/**
 * Reads a chained parameter and checks that the caller may use it. A chain reveals data of another type, so it needs the
 * scope for that type too (SM-6). `patient` and `subject` without a type refer to patients.
 * @returns undefined for a parameter that is not chained
 * @throws Fault `insufficient_scope`. For a caller bound to patients: `forbidden` when the chain leads to a type that is
 * never shown to them, `invalid_request` when it could lead to several types and names none
 */
export function readChain(access: Access, type: string, name: string): Chain | undefined {
  if (!name.includes('.')) return undefined;
  const parsed = parseName(type, name);
  if (!parsed?.chain) throw new Fault('unsupported_parameter', `${type} cannot be searched by ${name}.`);
  const { code } = parsed.parameter;
  const aboutPatients = ['patient', 'subject'].includes(code) && parsed.chain.types.includes('Patient');
  const chain: Chain = { ...parsed.chain, code, ...(aboutPatients && { types: ['Patient'] }) };
  for (const target of chain.types) requireWholeType(access, target, name);
  if (access.patients !== 'all') requireReach(chain, name);
  return chain;
}

function requireWholeType(access: Access, target: string, name: string): void {
  if (target === 'Patient' && permitting(access.permissions, 'Patient', 'r').length > 0) return;
  const { constraints } = requireScope(access, target, 's');
  if (constraints)
    throw new Fault(
      'insufficient_scope',
      `The search parameter ${name} needs a scope for all ${target} resources.`,
    );
}

function requireReach({ code, types, name }: Chain, asked: string): void {
  const [target, ...others] = types;
  if (others.length > 0) {
    throw new Fault('invalid_request', `${asked} needs a type, for example ${code}:${target}.${name}.`);
  }
  if (!['compartment', 'shared'].includes(reachOf(target!))) {
    throw new Fault('forbidden', `${target} cannot be searched with this token.`);
  }
}
