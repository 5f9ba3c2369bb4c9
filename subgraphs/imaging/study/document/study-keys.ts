import {
  accessionOf,
  accessionText,
  haveOneAccession,
  isSameNumber,
  readAccession,
} from '../../../../schema/fhir/accession-types.ts';
import type { StudyKeys } from '../../../../schema/fhir/study-match.ts';
import { studyDocument } from './study-document.ts';
import type { RecordStudy } from '../record/record-study.ts';
import type { StudyRecord } from '../study-records.ts';

/** The keys of a study that the images tell. */
type KnownKeys = StudyKeys & { _accessionNumbers: readonly string[] };

/** A study with its halves: of an archive, of the clinical record, or both (IA-34). */
export interface JoinableStudy {
  study: { id?: string };
  record?: StudyRecord;
  own?: RecordStudy;
}

/** Returns what a study says of itself, both halves, by which it is joined with the record (FG-9). */
export function keysOf({ study, record, own }: JoinableStudy): KnownKeys {
  const archived = record ? studyDocument(record).accessions : [];
  // The record may state the number of the archive without its issuer: that is no other number.
  const more = own?.accessions.filter((one) => !archived.some((other) => isSameNumber(one, other))) ?? [];
  const accessions = [...archived, ...more];
  return {
    id: study.id!,
    ...(own?.uid !== undefined && own.uid !== study.id && { _studyUid: own.uid }),
    _patientId: record?.patientId ?? own?.patientId,
    _accessionNumbers: [...new Set(accessions.flatMap(accessionOf).map(accessionText))],
  };
}

/** Returns the logical id of the patient of a study; none when no patient is known. @throws Fault of a record that did not answer */
export function patientOf({ record, own }: JoinableStudy): string | undefined {
  const patientId = record?.patientId ?? own?.patientId;
  if (patientId === undefined && record?.patientFault) throw record.patientFault;
  return patientId;
}

/** Returns true when two different studies have an accession number in common. */
export function shareAccession(one: StudyKeys, other: StudyKeys): boolean {
  const numbers = (one._accessionNumbers ?? []).map(readAccession);
  const others = (other._accessionNumbers ?? []).map(readAccession);
  return one.id !== other.id && haveOneAccession(numbers, others);
}
