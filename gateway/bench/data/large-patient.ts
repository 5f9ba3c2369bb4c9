/**
 * Patients with resources in each of five clinical lists and 10 studies of 3 series: the data of the speed targets.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Element } from '../../demo/dicom-file.ts';
import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile } from '../../demo/dicom-file.ts';
import type { DemoData } from '../../test/test-gateway.ts';

export const STUDIES = 10;
const SERIES = 3;
/** The birth date in the record and in the images. */
export const BORN = '1970-01-01';

/** Returns the identifier of a patient, of type MR; patients count from 1. */
export const mrnOf = (patient: number) => `MRN-${patient}`;

/** Numbers of what is written. */
export interface PatientCounts {
  count?: number;
  /** In each clinical list. */
  resources?: number;
  /** In each series. */
  instances?: number;
}

/** Writes the records and images of patients `p1`, `p2` …. */
export async function writePatients(
  directory: string,
  { count = 1, resources = 20, instances = 1 }: PatientCounts = {},
): Promise<DemoData> {
  const data = { images: join(directory, 'images'), patients: join(directory, 'patients') };
  await mkdir(data.patients, { recursive: true });
  for (let patient = 1; patient <= count; patient++) {
    const file = join(data.patients, `p${patient}.json`);
    await writeFile(file, JSON.stringify(record(patient, resources)));
    await writeStudies(data.images, patient, instances);
  }
  return data;
}

/** Writes the images of a patient into a folder. @param instances of each series */
export async function writeStudies(images: string, patient: number, instances = 1): Promise<void> {
  for (let study = 0; study < STUDIES; study++) {
    const folder = join(images, `${patient}`, `${study}`);
    await mkdir(folder, { recursive: true });
    for (let series = 0; series < SERIES; series++)
      for (let number = 1; number <= instances; number++)
        await writeFile(
          join(folder, number === 1 ? `${series}.dcm` : `${series}-${number}.dcm`),
          instance(patient, study, [series, number]),
        );
  }
}

function record(patient: number, resources: number): object {
  const subject = { reference: `Patient/p${patient}` };
  const code = {
    text: 'Something',
    coding: [{ system: 'http://snomed.info/sct', code: '1', display: 'Something' }],
  };
  const of = (type: string, more: object) =>
    Array.from({ length: resources }, (_, i) => ({
      resource: { resourceType: type, id: `${type}-${patient}-${i}`, ...more },
    }));
  const identifier = [{ type: { coding: [{ code: 'MR' }] }, value: mrnOf(patient) }];
  return {
    resourceType: 'Bundle',
    type: 'collection',
    entry: [
      {
        resource: {
          resourceType: 'Patient',
          id: `p${patient}`,
          identifier,
          name: [{ family: 'One', given: ['A'] }],
          birthDate: BORN,
        },
      },
      ...of('Condition', { subject, code, onsetDateTime: '2020-01-01' }),
      ...of('MedicationRequest', {
        subject,
        status: 'active',
        intent: 'order',
        medicationCodeableConcept: code,
      }),
      ...of('AllergyIntolerance', { patient: subject, code, criticality: 'low' }),
      ...of('Observation', { subject, status: 'final', code, valueQuantity: { value: 1.5, unit: 'mg' } }),
      ...of('DiagnosticReport', { subject, status: 'final', code, conclusion: 'Nothing.' }),
    ],
  };
}

function instance(patient: number, study: number, [series, number]: readonly [number, number]): Buffer {
  const studyUid = `1.2.3.${patient}.${study + 1}`;
  const text = (tag: number, vr: string, value: string): Element => ({ tag, vr, value });
  return writeDicomFile(
    EXPLICIT_LITTLE_ENDIAN,
    [
      text(0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.2'),
      text(0x00080018, 'UI', `${studyUid}.${series + 1}.${number}`),
      text(0x00080020, 'DA', `202601${String(study + 10)}`),
      text(0x00080060, 'CS', 'CT'),
      text(0x00081030, 'LO', `Study ${study}`),
      text(0x0008103e, 'LO', `Series ${series}`),
      text(0x00100020, 'LO', mrnOf(patient)),
      text(0x00100030, 'DA', '19700101'),
      text(0x0020000d, 'UI', studyUid),
      text(0x0020000e, 'UI', `${studyUid}.${series + 1}`),
      text(0x00200011, 'IS', `${series + 1}`),
    ],
    { vr: 'OW', bytes: new Uint8Array(8), encapsulated: false },
  );
}
