import {
  accessionOf,
  accessionText,
  isSameAccession,
  readAccession,
} from '../../../schema/fhir/accession-types.ts';
import type { StudyKeys } from '../../../schema/fhir/study-links.ts';
import { studyDocument } from './study-document.ts';
import type { StudyRecord } from './studies.ts';

/** The keys of a study that the images tell. */
type KnownKeys = StudyKeys & { _accessionNumbers: readonly string[] };

/** Returns what a study says of itself, by which it is joined with the record (FG-9). */
export function keysOf(record: StudyRecord): KnownKeys {
  const { uid, accessions } = studyDocument(record);
  return {
    id: uid,
    _patientId: record.patientId,
    _accessionNumbers: accessions.flatMap(accessionOf).map(accessionText),
  };
}

/** Returns true when two different studies have an accession number in common. */
export function shareAccession(one: StudyKeys, other: StudyKeys): boolean {
  const numbers = (one._accessionNumbers ?? []).map(readAccession);
  const others = (other._accessionNumbers ?? []).map(readAccession);
  return (
    one.id !== other.id && numbers.some((number) => others.some((same) => isSameAccession(number, same)))
  );
}
