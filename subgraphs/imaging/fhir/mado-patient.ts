import type { Meta, Patient } from 'fhir/r4.js';
import type { RecordOperation } from '../../../schema/access/audit.ts';
import { Tag } from '../../../schema/dicom/dicom.ts';
import { fhirDateTime } from '../dicom/dicom-date.ts';
import { personNames, string } from '../dicom/dicom-text.ts';
import { omitEmpty } from '../dicom/omit-empty.ts';
import type { AuthorizedStudies } from '../study/authorized-studies.ts';
import { keysOf } from '../study/document/study-keys.ts';
import type { StudyRecord } from '../study/study-records.ts';
import type { FoundStudy, ResourceOptions } from './find.ts';

/** The patient of a manifest (IA-47): no more than who it is. */

export const MADO = 'https://profiles.ihe.net/RAD/MADO';

/** Returns the claim of a profile of MADO. */
export const madoMeta = (profile: string): Meta => ({ profile: [`${MADO}/StructureDefinition/${profile}`] });

/**
 * Reads who the patient of a study is, of the record.
 * @returns undefined if no patient is known, or the caller may not read it, or the record does not answer
 */
export async function recordPatient(
  { tenant, access }: AuthorizedStudies,
  found: FoundStudy,
  { record }: ResourceOptions,
  audit: RecordOperation | undefined,
): Promise<Patient | undefined> {
  if (!record || !found.record?.patientId) return undefined;
  const asked = [{ type: 'Patient' }];
  const { resources } = await record.included({ tenant, access, audit }, [keysOf(found)], asked);
  const [patient] = resources as Patient[];
  if (!patient) return undefined;
  const { id, identifier, name, gender, birthDate } = patient;
  return omitEmpty<Patient>({
    resourceType: 'Patient',
    id,
    meta: madoMeta('MadoPatient'),
    // An assigner that is a reference would lead out of the document.
    identifier: identifier?.map(({ assigner, ...one }) => ({
      ...one,
      ...(assigner?.display && { assigner: { display: assigner.display } }),
    })),
    name,
    gender,
    birthDate,
  });
}

const GENDERS = { M: 'male', F: 'female', O: 'other' } as const;

/** Returns the patient as the archive states it. */
export function statedPatient({ study, patientId }: StudyRecord): Patient {
  const value = string(study, Tag.PatientID);
  const issuer = string(study, Tag.IssuerOfPatientID);
  const sex = string(study, Tag.PatientSex);
  return omitEmpty<Patient>({
    resourceType: 'Patient',
    id: patientId,
    meta: madoMeta('MadoPatient'),
    identifier: value ? [{ value, ...(issuer && { assigner: { display: issuer } }) }] : undefined,
    name: personNames(study, Tag.PatientName).map((text) => ({ text })),
    gender: sex !== undefined && sex in GENDERS ? GENDERS[sex as keyof typeof GENDERS] : undefined,
    birthDate: fhirDateTime(string(study, Tag.PatientBirthDate), undefined, undefined),
  });
}
