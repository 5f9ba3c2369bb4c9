import type { Resource } from 'fhir/r4.js';
import { setImmediate } from 'node:timers/promises';
import type { JoinedType } from '../../../schema/fhir/joined-types.ts';
import { studyTest, type StudyKeys } from '../../../schema/fhir/study-match.ts';
import { RequestValues } from '../../../schema/process/request-values.ts';
import type { Clinical } from '../record/clinical.ts';
import type { Search } from '../record/search.ts';
import { linksOf } from './study-links.ts';
import { ofPatient } from './patient-resources.ts';

/** A search for resources of a study. */
interface Wanted {
  type: JoinedType;
  /** Without a page. */
  search?: Search;
  /** Code of the search parameter that has to lead to the study; undefined: anything that does. */
  only?: string | undefined;
}

/** A resource that may belong to studies, and its test. */
interface Linked {
  resource: Resource;
  belongsTo: (study: StudyKeys) => boolean;
}

const known = new RequestValues<Clinical, Map<string, Promise<readonly Linked[]>>>();

/**
 * Returns the resources of a type that belong to a study, in the order of the search (FG-9).
 * @throws Fault like the search of the patient's resources
 */
export async function ofStudy(clinical: Clinical, study: StudyKeys, wanted: Wanted): Promise<Resource[]> {
  const { _patientId: patientId } = study;
  if (!patientId) return [];
  const linked = await linkedOfPatient(clinical, patientId, wanted);
  return linked.filter(({ belongsTo }) => belongsTo(study)).map(({ resource }) => resource);
}

/** The resources of a patient that name studies; found once for all studies of a request. */
function linkedOfPatient(
  clinical: Clinical,
  patientId: string,
  { type, search, only }: Wanted,
): Promise<readonly Linked[]> {
  let ofRequest = known.get(clinical);
  if (!ofRequest) known.set(clinical, (ofRequest = new Map()));
  const key = JSON.stringify([patientId, type, search?.params, search?.sort, only]);
  let linked = ofRequest.get(key);
  if (!linked) {
    linked = ofPatient(clinical, { type, patientId }, search).then((all) => withLinks(clinical, all, only));
    ofRequest.set(key, linked);
  }
  return linked;
}

/** Resources that are looked at in one turn of the event loop. */
const AT_ONCE = 250;

async function withLinks(
  clinical: Clinical,
  all: readonly Resource[],
  only: string | undefined,
): Promise<Linked[]> {
  const linked: Linked[] = [];
  for (let start = 0; start < all.length; start += AT_ONCE) {
    if (start > 0) await setImmediate();
    const part = all.slice(start, start + AT_ONCE);
    const tests = await Promise.all(part.map(async (one) => studyTest(await linksOf(clinical, one, only))));
    for (const [index, belongsTo] of tests.entries())
      if (belongsTo) linked.push({ resource: part[index]!, belongsTo });
  }
  return linked;
}
