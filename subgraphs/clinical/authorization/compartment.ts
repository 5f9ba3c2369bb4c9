import type { Resource } from 'fhir/r4.js';
import { patientCompartment, searchParameter } from '../../../schema/fhir/tables.ts';
import type { Indexer } from '../search/index-rows.ts';
import { compileIndexer } from '../search/index-rows.ts';

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

/** Decides to which patient a resource belongs. Use one per process: it keeps compiled search parameters. */
export class Compartment {
  readonly #indexers = new Map<string, Indexer | undefined>();

  /**
   * Returns true when a token for these patients may see the resource: it is in the compartment of one of them, and its
   * subject or patient, if any, is one of them (SM-16).
   */
  includes(resource: Resource, patientIds: readonly string[]): boolean {
    const type = resource.resourceType;
    if (type === 'Patient') return patientIds.includes(resource.id ?? '');
    const reach = reachOf(type);
    if (reach === 'never' || reach === 'attached') return false;
    const own = new Set(patientIds.map((id) => `Patient/${id}`));
    const owners = [...this.referenced(resource, 'patient'), ...this.referenced(resource, 'subject')];
    if (owners.length > 0 || hasSubject(resource)) return owners.some((target) => own.has(target));
    if (reach === 'shared') return true;
    return patientCompartment(type).some((code) =>
      this.referenced(resource, code).some((target) => own.has(target)),
    );
  }

  /** Returns the literal targets (`Patient/1`) of a reference parameter in this resource. */
  referenced(resource: Resource, code: string): string[] {
    const key = `${resource.resourceType} ${code}`;
    if (!this.#indexers.has(key)) {
      const parameter = searchParameter(resource.resourceType, code);
      this.#indexers.set(key, parameter && compileIndexer(parameter, resource.resourceType));
    }
    return this.#indexers.get(key)?.rows(resource).reference ?? [];
  }
}

/** Also true for a subject with only an identifier or display: it is a person, but an unknown one. */
function hasSubject(resource: Resource): boolean {
  return 'subject' in resource || 'patient' in resource;
}
