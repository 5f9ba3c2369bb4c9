import { requirePatient, type Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { patientCompartment, searchParameter } from '../../../schema/fhir/tables.ts';
import { bindingParameter, patientsNamed } from '../search/reach.ts';
import type { SearchParams } from '../sources/source.ts';

/**
 * Refuses a search out of the caller's reach (SM-16). The source then binds it to the patients in reach.
 * @throws Fault `forbidden` when a patient out of reach is named (IA-7), and for types that cannot be searched
 */
export function requireSearchInReach(access: Access, type: string, params: SearchParams): void {
  if (access.patients === 'all') return;
  if (!bindingParameter(type)) throw new Fault('forbidden', `${type} cannot be searched with this token.`);
  if (access.patients.length === 0) throw new Fault('forbidden', 'The token gives access to no patient.');
  for (const [name, value] of params) {
    if (!namesPatients(type, name)) continue;
    for (const id of patientsNamed(type, name, value)) requirePatient(access, id);
  }
}

/** Returns true for parameters whose value names the patients of the wanted resources. */
function namesPatients(type: string, name: string): boolean {
  if (type === 'Patient') return name === '_id';
  const [code = '', modifier] = name.split(':');
  if (modifier !== undefined && modifier !== 'Patient') return false;
  return (
    code === 'patient' || code === 'subject' || code === bindingParameter(type) || isMembership(type, code)
  );
}

function isMembership(type: string, code: string): boolean {
  const targets = searchParameter(type, code)?.targets ?? [];
  return patientCompartment(type).includes(code) && targets.length === 1 && targets[0] === 'Patient';
}
