import type { Group } from 'fhir/r4.js';
import { grantFor, type Access, type PatientGrant } from '../../../schema/access/access.ts';
import { requireScope } from '../../../schema/access/scopes.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import type { Clinical } from '../record/clinical.ts';

/**
 * Returns the members of a Group whom the caller reaches. Patients out of reach are left out, because an export is what
 * the client is authorized for (Bulk Data Access 3.0, kick-off), and nothing tells that they are members. A Group of a
 * record is shown to nobody whose token is bound to patients, so it is read here past the usual rule (SM-16).
 * @throws Fault `insufficient_scope` without a scope for Group; the same `not_found` for a Group that does not exist and
 *   for one without a member in reach; `not_implemented` for a Group of Groups
 */
export async function membersInReach(clinical: Clinical, id: string): Promise<PatientGrant[]> {
  const { access } = clinical;
  const { constraints } = requireScope(access, 'Group', 'r');
  if (constraints) {
    throw new Fault('insufficient_scope', 'An export of a Group needs a scope for all Group resources.', {
      scope: 'system/Group.r',
    });
  }
  if (!FHIR_ID.test(id)) throw noSuchResource();
  const source = await clinical.backend();
  const [group] = (await source.read('Group', [id])) as Group[];
  const active = (group?.member ?? []).filter((member) => member?.inactive !== true);
  const targets = await Promise.all(active.map(({ entity }) => clinical.target(entity?.reference)));
  const ids = targets.filter((target) => target?.type === 'Patient').map((target) => target!.id);
  const members = grantsOf(access, [...new Set(ids)]);
  if (members.length === 0) throw noSuchResource();
  if (targets.some((target) => target?.type === 'Group')) {
    throw new Fault('not_implemented', 'A Group with other Groups as members cannot be exported.');
  }
  return members;
}

function grantsOf(access: Access, ids: readonly string[]): PatientGrant[] {
  const grants = access.patients === 'all' ? undefined : new Map(access.patients.map((one) => [one.id, one]));
  const found = ids.map((id) => (grants ? grants.get(id) : grantFor(access, id)));
  return found.filter((grant) => grant !== undefined);
}
