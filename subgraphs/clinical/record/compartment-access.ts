import { requirePatient, type Access } from '../../../schema/access/access.ts';
import { Fault } from '../../../schema/fault/fault.ts';
import { noSuchResource } from '../../../schema/fault/refusals.ts';
import { FHIR_ID } from '../../../schema/fhir/fhir.ts';
import { bindingParameter } from '../search/reach.ts';

/**
 * Narrows an Access to the compartment of one patient, for a compartment search (R4 §3.1.1.2). The compartment is the one of
 * authorization: a resource that names somebody else as its subject is not in it.
 * @throws Fault `forbidden` for a patient out of reach (IA-7), `not_found` for a malformed id and for a type whose resources
 * are in no patient's compartment
 */
export function accessWithin(access: Access, patientId: string, type: string): Access {
  const grant = requirePatient(access, patientId);
  if (!FHIR_ID.test(patientId)) throw noSuchResource();
  if (!bindingParameter(type)) {
    throw new Fault('not_found', `${type} resources are not in the compartment of a patient.`);
  }
  return { ...access, patients: [grant] };
}
