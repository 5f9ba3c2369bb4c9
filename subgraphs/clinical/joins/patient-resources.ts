import type { Resource } from 'fhir/r4.js';
import { Fault } from '../../../schema/fault/fault.ts';
import type { Clinical } from '../record/clinical.ts';
import { searchAlone, type Relation } from '../record/related.ts';
import type { Search } from '../record/search.ts';
import { MAX_GATHERED } from '../sources/request-source.ts';
import { referencesAt } from './named-studies.ts';

/**
 * Resources of a patient or an encounter, all of them, for joins. R4 cannot search most of them by study: they are fetched
 * once and matched here. Calls for many patients become one search (FG-6).
 */

/** Faults of a record that does not give a type to this caller: then nothing of it is joined. */
const NOT_GIVEN: readonly string[] = [
  'insufficient_scope',
  'forbidden',
  'not_found',
  'unsupported_parameter',
  'not_implemented',
];

/**
 * Returns all resources of a type of one patient.
 * @throws Fault like the search; `too_large` beyond `MAX_GATHERED`
 */
export function ofPatient(
  clinical: Clinical,
  type: string,
  patientId: string,
  search: Search = { params: [], strict: true },
): Promise<Resource[]> {
  return all(clinical, { type, code: 'patient', target: 'Patient', id: patientId }, search);
}

async function all(clinical: Clinical, relation: Relation, search: Search): Promise<Resource[]> {
  const together = await clinical.relatedTogether(relation, search);
  if (together) return together;
  const asked = { ...searchAlone(relation, search), count: MAX_GATHERED };
  const { resources, next } = await clinical.search(relation.type, asked);
  if (next === undefined) return resources as Resource[];
  throw new Fault(
    'too_large',
    `There are too many ${relation.type} resources of one patient to be joined with studies.`,
  );
}

/** Returns the studies that the record itself has of a patient; none where it has or shows none. */
export function recordStudies(clinical: Clinical, patientId: string): Promise<Resource[]> {
  return ifGiven(ofPatient(clinical, 'ImagingStudy', patientId));
}

/** Returns the resources of a type that name an encounter at a path; none of a type that the caller may not search. */
export async function ofEncounter(
  clinical: Clinical,
  { type, path, id }: { type: string; path: string; id: string },
): Promise<Resource[]> {
  const relation = { type, code: 'encounter', target: 'Encounter', id };
  const found = await ifGiven(all(clinical, relation, { params: [], strict: true }));
  const isNamed = await Promise.all(
    found.map(async (resource) => {
      const targets = referencesAt(resource, path).map(({ reference }) => clinical.target(reference));
      return (await Promise.all(targets)).some((target) => target?.type === 'Encounter' && target.id === id);
    }),
  );
  return found.filter((_, index) => isNamed[index]);
}

async function ifGiven(found: Promise<Resource[]>): Promise<Resource[]> {
  return found.catch((error: unknown) => {
    if (error instanceof Fault && NOT_GIVEN.includes(error.code)) return [];
    throw error;
  });
}
