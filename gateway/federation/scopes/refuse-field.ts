import type { Access } from '../../../schema/access/access.ts';
import { missingScopes, scopesMissing } from '../../../schema/access/scopes.ts';
import { isDottedUid } from '../../../schema/dicom/dicom.ts';
import { outcomeOf, type Operation } from '../../../schema/access/audit.ts';
import type { Fault } from '../../../schema/fault/fault.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import type { RequestScope } from '../request/request-scope.ts';
import { isOfElement, type Need } from './field-scopes.ts';

/** A refused field in a request. */
export interface RefusedField {
  need: Need;
  /** Type that has the field. */
  parent: string;
  /** The object that has the field, as far as it is known. */
  source?: unknown;
  args: Readonly<Record<string, unknown>>;
}

/** Returns the error for a caller who lacks the scopes of a field or type. */
export function refusalOf({ scopes }: Need, access: Access): Fault {
  return scopesMissing(access, missingScopes(access, scopes));
}

/**
 * Returns the error of a field that is refused before any source is asked. It records the refusal in the audit trail, as
 * the subgraph would that is not asked (IA-30); that of an element belongs to the resource around it.
 */
export function refuseField({ access, audit }: RequestScope, field: RefusedField): Fault {
  const { need, parent, source, args } = field;
  const fault = refusalOf(need, access);
  const [first] = missingScopes(access, need.scopes);
  if (!audit || !first || isOfElement(need)) return fault;
  const { type, interaction } = first;
  const operation = interaction === 'r' ? { action: 'read' as const, ...named(args['id']) } : SEARCH;
  const { patients } = access;
  const only = patients !== 'all' && patients.length === 1 ? patients[0]!.id : undefined;
  const around = parent === 'Patient' ? (source as { id?: unknown } | undefined)?.id : undefined;
  const patient = [around, args['patient'], args['subject']].flat().map(idOf).find(Boolean) ?? only;
  audit({ ...operation, type, ...(patient && { patient }), outcome: outcomeOf(fault) });
  return fault;
}

const SEARCH = { action: 'search' } as const;

/** Returns what a record says of the resource that is read. */
function named(id: unknown): Pick<Operation, 'study' | 'target'> {
  if (typeof id === 'string' && isDottedUid(id)) return { study: id };
  const target = idOf(id);
  return target === undefined ? {} : { target };
}

/** Returns the id of a patient or resource; undefined for what is no id. */
function idOf(value: unknown): string | undefined {
  const id = typeof value === 'string' ? value.replace(/^Patient\//, '') : '';
  return FHIR_ID.test(id) ? id : undefined;
}
