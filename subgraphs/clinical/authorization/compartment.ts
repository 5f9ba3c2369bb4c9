import type { Reference, Resource } from 'fhir/r4.js';
import { parseReference } from '../../../schema/fhir/fhir.ts';
import { referencesInText } from '../../../schema/fhir/references-in-text.ts';
import { patientCompartment, searchParameter } from '../../../schema/fhir/tables.ts';
import { bindingParameter, reachOf } from '../search/reach.ts';
import { compileIndexer, type Indexer } from '../search/index-rows.ts';

/** Decides to which patient a resource belongs. Use one per process: it keeps compiled search parameters. */
export class Compartment {
  readonly #indexers = new Map<string, Indexer | undefined>();
  readonly #patientElements = new Map<string, PatientElement | undefined>();

  /**
   * Returns true when a token for these patients may see the resource: it is in the compartment of one of them, and its
   * subject or patient, if any, is one of them (SM-16).
   * @param own references to the patients, such as `Patient/1`
   */
  includes(resource: Resource, own: ReadonlySet<string>): boolean {
    const type = resource.resourceType;
    if (type === 'Patient') return own.has(`Patient/${resource.id}`);
    const reach = reachOf(type);
    if (reach === 'never' || reach === 'attached') return false;
    // Most resources name their patient in one element: then no search parameter is evaluated.
    const element = this.#patientElement(type);
    if (element && own.has((resource as WithPatient)[element]?.reference ?? '')) return true;
    const isOwner = (target: string): boolean => own.has(target);
    const patients = this.referenced(resource, 'patient');
    if (patients.some(isOwner)) return true;
    const subjects = this.referenced(resource, 'subject');
    if (patients.length + subjects.length > 0 || hasSubject(resource)) return subjects.some(isOwner);
    if (reach === 'shared') return true;
    return patientCompartment(type).some((code) =>
      this.referenced(resource, code).some((target) => own.has(target)),
    );
  }

  /**
   * As `includes`, of a resource that a store has found for these patients by the index of `patient` or `subject`. It is parsed
   * only where its text does not show that it is of no other patient.
   * @param json as `writeFhirJson` writes it
   */
  includesText(type: string, json: string, own: ReadonlySet<string>): boolean {
    const patients = [...referencesInText(json)].filter((reference) => reference.includes('Patient/'));
    const isBound = ['patient', 'subject'].includes(bindingParameter(type) ?? '');
    if (isBound && patients.length > 0 && patients.every((reference) => own.has(reference))) return true;
    return this.includes(JSON.parse(json) as Resource, own);
  }

  /** Returns the ids of the patients that a resource names as its patient or subject. */
  owners(resource: Resource): readonly string[] {
    const type = resource.resourceType;
    if (type === 'Patient') return [resource.id ?? ''];
    // As above: the parameter `subject` of these types consists of the same element.
    const element = this.#patientElement(type);
    const reference = element && (resource as WithPatient)[element]?.reference;
    if (isOnePatient(reference)) return [reference.slice('Patient/'.length)];
    return ['patient', 'subject']
      .flatMap((code) => this.referenced(resource, code))
      .map(parseReference)
      .flatMap((target) => (target?.type === 'Patient' ? target.id : []));
  }

  /**
   * Returns the ids of the patients whose tokens find a resource by a search: those that the parameter names by which such a
   * search is bound, and whose tokens may see it.
   */
  finders(resource: Resource): readonly string[] {
    const type = resource.resourceType;
    if (type === 'Patient') return [resource.id ?? ''];
    const binding = bindingParameter(type);
    if (binding === undefined) return [];
    const element = binding === 'patient' ? this.#patientElement(type) : undefined;
    const reference = element && (resource as WithPatient)[element]?.reference;
    if (isOnePatient(reference)) return [reference.slice('Patient/'.length)];
    const targets = new Set(this.referenced(resource, binding));
    return [...targets]
      .filter((target) => isOnePatient(target) && this.includes(resource, new Set([target])))
      .map((target) => target.slice('Patient/'.length));
  }

  /** Returns the element of which the search parameter `patient` of a type consists; undefined if it is more than one. */
  #patientElement(type: string): PatientElement | undefined {
    if (!this.#patientElements.has(type)) {
      const { expression = '' } = searchParameter(type, 'patient') ?? {};
      const [, of, element] = ONE_ELEMENT.exec(expression) ?? [];
      this.#patientElements.set(type, of === type ? (element as PatientElement) : undefined);
    }
    return this.#patientElements.get(type);
  }

  /** Returns the literal targets (`Patient/1`) of a reference parameter in this resource: none where it is not valid FHIR. */
  referenced(resource: Resource, code: string): string[] {
    const key = `${resource.resourceType} ${code}`;
    if (!this.#indexers.has(key)) {
      const parameter = searchParameter(resource.resourceType, code);
      this.#indexers.set(key, parameter && compileIndexer(parameter, resource.resourceType));
    }
    try {
      return this.#indexers.get(key)?.rows(resource).reference ?? [];
    } catch (error) {
      if (error instanceof TypeError) return [];
      throw error;
    }
  }
}

type PatientElement = 'patient' | 'subject';
type WithPatient = Resource & { [element in PatientElement]?: Reference };

const ONE_PATIENT = /^Patient\/[A-Za-z0-9\-.]{1,64}$/;
/** A damaged resource may have anything there. */
const isOnePatient = (reference: unknown): reference is string =>
  typeof reference === 'string' && ONE_PATIENT.test(reference);
const ONE_ELEMENT = /^(\w+)\.(patient|subject)(?:\.where\(resolve\(\) is Patient\))?$/;

/** Also true for a subject with only an identifier or display: it is a person, but an unknown one. */
function hasSubject(resource: Resource): boolean {
  return 'subject' in resource || 'patient' in resource;
}
