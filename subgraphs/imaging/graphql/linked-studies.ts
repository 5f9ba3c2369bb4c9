import {
  accessionOf,
  accessionText,
  isSameAccession,
  readAccession,
} from '../../../schema/fhir/accession-types.ts';
import { studyTest, type StudyKeys, type StudyLinks } from '../../../schema/fhir/study-links.ts';
import { studyDocument } from '../study/study-document.ts';
import type { Detail, StudyRecord } from '../study/studies.ts';

/** Joins of studies and the record (FG-9). The clinical subgraph finds the links in its `joins/study-links.ts`. */

/** Returns what a study says of itself, by which it is joined with the record. */
export function keysOf(record: StudyRecord): StudyKeys & { _accessionNumbers: string[] } {
  const { uid, accessions, series } = studyDocument(record);
  return {
    id: uid,
    _patientId: record.patientId,
    _accessionNumbers: accessions.flatMap(accessionOf).map(accessionText),
    _objectUids: series.flatMap((one) => [one.uid, ...(one.instance ?? []).map((instance) => instance.uid)]),
  };
}

/** A search for the studies of a patient, and the test for those that are meant. */
interface LinkedStudies {
  patientId: string;
  /** `instance` where only the instances can tell. */
  detail: { detail?: Detail };
  isLinked(found: { record: StudyRecord }): boolean;
}

/** Returns how the studies of a resource are found; undefined when it can have none. */
export function linkedStudies(links: StudyLinks): LinkedStudies | undefined {
  const test = studyTest(links);
  const { _patientId: patientId, _objectUids: objects } = links;
  if (!test || !patientId) return undefined;
  return {
    patientId,
    detail: objects && objects.length > 0 ? { detail: 'instance' } : {},
    // The studies are searched for by this patient.
    isLinked: ({ record }) => test({ ...keysOf(record), _patientId: patientId }),
  };
}

/** Returns how the other studies with an accession number of a study are found; undefined when there can be none. */
export function sameAccession({
  id,
  _patientId: patientId,
  _accessionNumbers,
}: StudyKeys): { patientId: string; isOther(found: { record: StudyRecord }): boolean } | undefined {
  const own = (_accessionNumbers ?? []).map(readAccession);
  if (!patientId || own.length === 0) return undefined;
  return {
    patientId,
    isOther: ({ record }) => {
      const other = keysOf(record);
      return (
        other.id !== id &&
        other._accessionNumbers.some((number) =>
          own.some((one) => isSameAccession(one, readAccession(number))),
        )
      );
    },
  };
}
