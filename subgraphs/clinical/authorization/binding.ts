import type { Access } from '../../../schema/access/access.ts';
import { requirePatient } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import { alternatives, unescapeValue } from '../../../schema/fhir/search-value.ts';
import { patientCompartment, searchParameter } from '../../../schema/fhir/tables.ts';
import { bindingParameter } from './compartment.ts';
import type { SearchParams } from '../sources/source.ts';

/**
 * Binds the parameters of a search to the patients in reach (SM-16).
 * @throws Fault `forbidden` when a patient out of reach is named (IA-7), and for types that cannot be searched
 */
export function bindSearch(access: Access, type: string, params: SearchParams): SearchParams {
  if (access.patients === 'all') return params;
  const binding = bindingParameter(type);
  if (!binding) throw new Fault('forbidden', `${type} cannot be searched with this token.`);
  if (access.patients.length === 0) throw new Fault('forbidden', 'The token gives access to no patient.');
  let bound = false;
  for (const [name, value] of params) {
    if (!namesPatients(type, name)) continue;
    const ids = patientsNamed(type, name, value);
    ids.forEach((id) => requirePatient(access, id));
    const onlyPatients = ids.length > 0 && ids.length === valuesOf(value).length;
    bound ||= onlyPatients && (name === binding || name === `${binding}:Patient`);
  }
  if (bound) return params;
  const own = access.patients.map(({ id }) => (type === 'Patient' ? id : `Patient/${id}`));
  return [...params, [binding, own.join(',')]];
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

function patientsNamed(type: string, name: string, value: string): string[] {
  return valuesOf(value).flatMap((item) => {
    if (type === 'Patient' && name === '_id') return [item];
    const target = parseReference(item);
    if (target) return target.type === 'Patient' ? [target.id] : [];
    return [item];
  });
}

function valuesOf(value: string): string[] {
  return alternatives(value).map(unescapeValue);
}
