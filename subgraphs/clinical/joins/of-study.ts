import type { Resource } from 'fhir/r4.js';
import type { JoinedType } from '../../../schema/fhir/joined-types.ts';
import { studyTest, type StudyKeys, type StudyLinks } from '../../../schema/fhir/study-links.ts';
import type { Clinical } from '../record/clinical.ts';
import type { Search } from '../record/search.ts';
import { linksOf } from './study-links.ts';
import { ofPatient } from './patient-resources.ts';

/**
 * Returns the resources of a type that belong to a study, in the order of the search (FG-9).
 * @param search without a page
 * @param only code of the search parameter that has to lead to the study; undefined: anything that does
 * @throws Fault like the search of the patient's resources
 */
export async function ofStudy(
  clinical: Clinical,
  study: StudyKeys,
  { type, search, only }: { type: JoinedType; search?: Search; only?: string | undefined },
): Promise<Resource[]> {
  const { _patientId: patientId } = study;
  if (!patientId) return [];
  const all = await ofPatient(clinical, { type, patientId }, search);
  const tests = await Promise.all(all.map(async (one) => testOf(await linksOf(clinical, one, only))));
  return all.filter((_, index) => tests[index]?.(study));
}

const tests = new WeakMap<StudyLinks, ReturnType<typeof studyTest>>();

/** The test of some links; made once for all studies. */
function testOf(links: StudyLinks): ReturnType<typeof studyTest> {
  if (!tests.has(links)) tests.set(links, studyTest(links));
  return tests.get(links);
}
