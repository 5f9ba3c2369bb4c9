import { studyTest, type StudyKeys, type StudyLinks } from '../../../schema/fhir/study-match.ts';
import { keysOf, shareAccession, type JoinableStudy } from '../study/document/study-keys.ts';

/** The joined studies of a patient (FG-9). The clinical subgraph finds the links in its `joins/study-links.ts`. */
interface LinkedStudies {
  patientId: string;
  isLinked(found: JoinableStudy): boolean;
}

/** Returns how the studies of a resource of the record are found; undefined when it can have none. */
export function linkedStudies(links: StudyLinks): LinkedStudies | undefined {
  const test = studyTest(links);
  const { _patientId: patientId } = links;
  if (!test || !patientId) return undefined;
  return {
    patientId,
    // The studies are searched for by this patient.
    isLinked: (found) => test({ ...keysOf(found), _patientId: patientId }),
  };
}

/** Returns how the other studies with an accession number of a study are found; undefined when there can be none. */
export function sameAccession(study: StudyKeys): LinkedStudies | undefined {
  const { _patientId: patientId, _accessionNumbers: numbers } = study;
  if (!patientId || !numbers || numbers.length === 0) return undefined;
  return { patientId, isLinked: (found) => shareAccession(study, keysOf(found)) };
}
