import type { Bundle, DiagnosticReport, Patient } from 'fhir/r4.js';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A patient as in the headers of images. */
export interface Demographics {
  /** DICOM PN. */
  name: string;
  /** Value of the identifier typed MR. */
  patientId: string;
  /** System of the identifier typed MR, written as Issuer of Patient ID. */
  issuer: string;
  /** DICOM DA. */
  birthDate: string;
  sex: 'F' | 'M' | 'O';
}

/** Returns the folder of the bundles: beside this file, or in the sources when this file runs compiled in `dist/`. */
export function patientsFolder(): string {
  const beside = fileURLToPath(new URL('./patients', import.meta.url));
  return existsSync(beside)
    ? beside
    : fileURLToPath(new URL('../../../gateway/demo/patients', import.meta.url));
}

/** Reads the FHIR transaction Bundles of the demonstration: the hospital's first, then one per patient, by file name. */
export function patientBundles(folder = patientsFolder()): Bundle[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  names.sort((a, b) => Number(b === 'hospital.json') - Number(a === 'hospital.json') || (a < b ? -1 : 1));
  return names.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Bundle);
}

/** Returns a patient as in the headers of images. @throws Error when the Patient lacks an attribute that they need */
export function demographics(patient: Patient): Demographics {
  const mr = patient.identifier?.find((each) => each.type?.coding?.some(({ code }) => code === 'MR'));
  const name = patient.name?.find(({ use }) => use === 'official');
  if (!mr?.value || !mr.system || !name?.family || !patient.birthDate) {
    throw new Error(`Patient/${patient.id} needs an MR identifier, an official name and a birth date`);
  }
  return {
    name: [name.family, name.given?.[0] ?? '', name.given?.slice(1).join(' ') ?? '']
      .join('^')
      .replace(/\^+$/, ''),
    patientId: mr.value,
    issuer: mr.system,
    birthDate: patient.birthDate.replaceAll('-', ''),
    sex: patient.gender === 'female' ? 'F' : patient.gender === 'male' ? 'M' : 'O',
  };
}

/** Returns the demographics of all patients by Patient id. */
export function demographicsById(bundles: Bundle[]): Map<string, Demographics> {
  const patients = bundles
    .flatMap(({ entry }) => entry ?? [])
    .map(({ resource }) => resource)
    .filter((resource): resource is Patient => resource?.resourceType === 'Patient');
  return new Map(patients.map((patient) => [patient.id ?? '', demographics(patient)]));
}

/** Returns the text of the report that refers to a study. @throws Error when there is none */
export function reportText(bundles: Bundle[], studyUid: string): string {
  const report = bundles
    .flatMap(({ entry }) => entry ?? [])
    .map(({ resource }) => resource)
    .filter((resource): resource is DiagnosticReport => resource?.resourceType === 'DiagnosticReport')
    .find(({ imagingStudy = [] }) =>
      imagingStudy.some(({ reference }) => reference?.endsWith(`/${studyUid}`)),
    );
  const data = report?.presentedForm?.find(({ contentType }) => contentType?.startsWith('text/plain'))?.data;
  if (!data) throw new Error(`study ${studyUid}: no report with a text`);
  return Buffer.from(data, 'base64').toString('utf8');
}
