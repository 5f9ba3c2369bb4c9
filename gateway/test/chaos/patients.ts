/**
 * Patients whose every resource, study and pixel names them: an answer with anything of another patient is seen by its text
 * alone.
 */
import type { Bundle, Resource } from 'fhir/r4.js';
import { smallObjects } from '../setup/small-objects.ts';

export interface ChaosPatient {
  number: number;
  /** FHIR id. */
  id: string;
  /** PatientID in DICOM. */
  mrn: string;
  studies: readonly string[];
}

const STUDIES = 2;
/** Of each study. */
const INSTANCES = 4;
const ROOT = '1.2.826.0.1.3680043.2.77';

/** Returns patients, by their number from 10: all names have the same length. */
export function chaosPatients(count: number): ChaosPatient[] {
  return Array.from({ length: count }, (_, index) => {
    const number = 10 + index;
    const studies = Array.from({ length: STUDIES }, (_, study) => `${ROOT}.${number}.${study + 1}`);
    return { number, id: `chaos-${number}`, mrn: `MRN-chaos-${number}`, studies };
  });
}

const MARK = new RegExp(`chaos-(\\d+)|${ROOT.replaceAll('.', '\\.')}\\.(\\d+)`, 'g');

/** Returns the numbers of all patients that an answer names. @param body any bytes, images too */
export function patientsIn(body: Buffer): Set<number> {
  const found = body.toString('latin1').matchAll(MARK);
  return new Set(Array.from(found, ([, id, uid]) => Number(id ?? uid)));
}

/** Returns the record of a patient, as the embedded store reads it. */
export function recordOf({ id, mrn }: ChaosPatient): Bundle {
  const subject = { reference: `Patient/${id}` };
  const code = { text: `Something of ${id}`, coding: [{ system: 'http://snomed.info/sct', code: '1' }] };
  const many = (type: string, count: number, more: object) =>
    Array.from({ length: count }, (_, i) => ({
      resource: { resourceType: type, id: `${id}-${type}-${i}`, ...more } as Resource,
    }));
  const report = { subject, status: 'final', code, conclusion: `Nothing new about ${id}.` };
  return {
    resourceType: 'Bundle',
    type: 'collection',
    entry: [
      { resource: patientOf({ id, mrn }) },
      ...many('Condition', 5, { subject, code, onsetDateTime: '2020-01-01' }),
      ...many('AllergyIntolerance', 2, { patient: subject, code, criticality: 'low' }),
      ...many('Observation', 20, { subject, status: 'final', code, valueQuantity: { value: 1, unit: 'mg' } }),
      ...many('DiagnosticReport', 2, report),
    ],
  } as unknown as Bundle;
}

/** Returns the Patient, as the EHR has it. */
export function patientOf({ id, mrn }: Pick<ChaosPatient, 'id' | 'mrn'>): Record<string, unknown> {
  return {
    resourceType: 'Patient',
    id,
    name: [{ family: `Family of ${id}` }],
    birthDate: '1970-01-01',
    identifier: [{ type: { coding: [{ code: 'MR' }] }, value: mrn }],
  };
}

/** Writes the images of a patient, as Part 10 files. @param side rows and columns */
export function imagesOf({ id, mrn, studies }: ChaosPatient, side: number): Buffer[] {
  return studies.flatMap((studyUid) =>
    smallObjects({
      studyUid,
      patientId: mrn,
      instances: INSTANCES,
      side,
      pixels: `${id} `,
      description: `Study of ${id}`,
    }),
  );
}
