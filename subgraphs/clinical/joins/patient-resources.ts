import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import { RequestValues } from '../../../schema/process/request-values.ts';
import type { Clinical } from '../record/clinical.ts';
import { searchAlone } from '../record/related.ts';
import type { Search } from '../record/search.ts';
import { MAX_GATHERED } from '../sources/request-source.ts';
import { referencesAt } from './named-studies.ts';

/** A search for all resources. */
const ALL: Search = { params: [], strict: true };

/**
 * Returns all resources of a type of one patient, for joins: R4 cannot search most of them by study, so they are fetched
 * once and matched here. Calls for many patients become one search (FG-6).
 * @throws Fault like the search; `too_large` beyond `MAX_GATHERED`
 */
export async function ofPatient(
  clinical: Clinical,
  { type, patientId }: { type: string; patientId: string },
  search = ALL,
): Promise<Resource[]> {
  const relation = { type, code: 'patient', target: 'Patient', id: patientId };
  const together = await clinical.relatedTogether(relation, search);
  if (together) return together;
  const asked = { ...searchAlone(relation, search), count: MAX_GATHERED };
  const { resources, next } = await clinical.search(type, asked);
  if (next === undefined) return resources as Resource[];
  throw new Fault('too_large', `One patient has too many ${type} resources to join them with studies.`);
}

/** Faults of a record that does not give a type to this caller. */
const NOT_GIVEN: readonly string[] = ['insufficient_scope', 'forbidden', 'not_found', 'not_implemented'];

/** Returns resources; none of a type that the caller may not search, or that the record does not have. */
export async function ifGiven(found: Promise<Resource[]>): Promise<Resource[]> {
  return found.catch((error: unknown) => {
    if (error instanceof Fault && NOT_GIVEN.includes(error.code)) return [];
    throw error;
  });
}

/** Studies of the record by the resources to which they refer: `basedOn ServiceRequest/1`. */
type StudiesByTarget = ReadonlyMap<string, readonly Resource[]>;

const known = new RequestValues<Clinical, Map<string, Promise<StudiesByTarget>>>();

/** Returns the ImagingStudies of the record that refer to a resource of a patient by an element. */
export async function recordStudiesOf(
  clinical: Clinical,
  patientId: string,
  { resource, element }: { resource: Resource; element: string },
): Promise<readonly Resource[]> {
  let ofRequest = known.get(clinical);
  if (!ofRequest) known.set(clinical, (ofRequest = new Map()));
  let studies = ofRequest.get(patientId);
  if (!studies) ofRequest.set(patientId, (studies = studiesByTarget(clinical, patientId)));
  return (await studies).get(`${element} ${resource.resourceType}/${resource.id}`) ?? [];
}

/** Elements of ImagingStudy that refer to resources which are joined with it. */
const ELEMENTS = ['basedOn', 'procedureReference', 'encounter'];

async function studiesByTarget(clinical: Clinical, patientId: string): Promise<StudiesByTarget> {
  const byTarget = new Map<string, Resource[]>();
  for (const study of await ifGiven(ofPatient(clinical, { type: 'ImagingStudy', patientId }))) {
    for (const element of ELEMENTS) {
      for (const { reference } of referencesAt(study, element)) {
        const target = await clinical.target(reference);
        if (!target) continue;
        const key = `${element} ${target.type}/${target.id}`;
        const others = byTarget.get(key);
        if (others) others.push(study);
        else byTarget.set(key, [study]);
      }
    }
  }
  return byTarget;
}
