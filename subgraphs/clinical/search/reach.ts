import { parseReference } from '../../../schema/fhir/fhir.ts';
import { alternatives, unescapeValue } from '../../../schema/fhir/search/search-value.ts';
import { patientCompartment, searchParameter } from '../../../schema/fhir/tables.ts';
import type { SearchParams } from './search-params.ts';

/** The reach of a token that is bound to patients, by resource type (SM-16). */

/**
 * Types outside the patient compartment that records refer to. Everybody who sees a record may read them, but not search
 * them (SM-16). A type that is neither here nor in the compartment is never shown under a patient's scope.
 */
const SHARED = new Set([
  'Device',
  'Location',
  'Medication',
  'Organization',
  'Practitioner',
  'PractitionerRole',
  'Questionnaire',
]);

/** Types in the standard's compartment that concern more than one patient (SM-16). */
const NEVER = new Set(['Group', 'List']);

export type Reach =
  /** A resource of the compartment: shown to its patient. */
  | 'compartment'
  /** Readable by everybody who sees a record, but not searchable. */
  | 'shared'
  /** Readable with the resource that it belongs to. */
  | 'attached'
  /** Not shown to a patient's token at all. */
  | 'never';

/** Returns how a token that is bound to a patient reaches resources of this type. */
export function reachOf(type: string): Reach {
  if (type === 'Patient') return 'compartment';
  if (type === 'Binary') return 'attached';
  if (SHARED.has(type)) return 'shared';
  return patientCompartment(type).length > 0 && !NEVER.has(type) ? 'compartment' : 'never';
}

/** Returns the parameter that binds a search of this type to a patient; undefined when there is none. */
export function bindingParameter(type: string): string | undefined {
  if (type === 'Patient') return '_id';
  if (['never', 'attached'].includes(reachOf(type))) return undefined;
  const candidates = ['patient', 'subject', ...patientCompartment(type)];
  return candidates.find((code) => searchParameter(type, code));
}

/**
 * Returns the parameters of a search that finds only resources of these patients: it adds the binding parameter, unless
 * the client names patients by it already.
 * @param params every patient that they name is one of `patients`
 */
export function boundTo(patients: readonly string[], type: string, params: SearchParams): SearchParams {
  const binding = bindingParameter(type);
  if (binding === undefined) return params;
  const isBound = params.some(
    ([name, value]) =>
      (name === binding || name === `${binding}:Patient`) && namesOnlyPatients(type, name, value),
  );
  if (isBound) return params;
  const own = patients.map((id) => (type === 'Patient' ? id : `Patient/${id}`));
  return [...params, [binding, own.join(',')]];
}

function namesOnlyPatients(type: string, name: string, value: string): boolean {
  const named = patientsNamed(type, name, value);
  return named.length > 0 && named.length === alternatives(value).length;
}

/** Returns the logical ids of the patients among the values of a reference parameter, or of `_id` of Patient. */
export function patientsNamed(type: string, name: string, value: string): string[] {
  return alternatives(value)
    .map(unescapeValue)
    .flatMap((item) => {
      if (type === 'Patient' && name === '_id') return [item];
      const target = parseReference(item);
      if (target) return target.type === 'Patient' ? [target.id] : [];
      return [item];
    });
}
