/** One patient with 20 resources in each of five clinical lists and 10 studies of 3 series: what the target is about. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Element } from '../demo/dicom-file.ts';
import { EXPLICIT_LITTLE_ENDIAN, writeDicomFile } from '../demo/dicom-file.ts';
import type { DemoData } from '../test/house.ts';

const MRN = 'MRN-1';
const RESOURCES = 20;
const STUDIES = 10;
const SERIES = 3;

export async function writeLargePatient(directory: string): Promise<DemoData> {
  const data = { images: join(directory, 'images'), patients: join(directory, 'patients') };
  await mkdir(data.patients, { recursive: true });
  await writeFile(join(data.patients, 'patient.json'), JSON.stringify(record()));
  for (let study = 0; study < STUDIES; study++) {
    for (let series = 0; series < SERIES; series++) {
      const folder = join(data.images, `${study}`);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, `${series}.dcm`), instance(study, series));
    }
  }
  return data;
}

function record(): object {
  const subject = { reference: 'Patient/p1' };
  const code = {
    text: 'Something',
    coding: [{ system: 'http://snomed.info/sct', code: '1', display: 'Something' }],
  };
  const of = (type: string, more: object) =>
    Array.from({ length: RESOURCES }, (_, i) => ({
      resource: { resourceType: type, id: `${type}-${i}`, ...more },
    }));
  const identifier = [{ type: { coding: [{ code: 'MR' }] }, value: MRN }];
  return {
    resourceType: 'Bundle',
    type: 'collection',
    entry: [
      {
        resource: {
          resourceType: 'Patient',
          id: 'p1',
          identifier,
          name: [{ family: 'One', given: ['A'] }],
          birthDate: '1970-01-01',
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

function instance(study: number, series: number): Buffer {
  const studyUid = `1.2.3.${study + 1}`;
  const text = (tag: number, vr: string, value: string): Element => ({ tag, vr, value });
  return writeDicomFile(
    EXPLICIT_LITTLE_ENDIAN,
    [
      text(0x00080016, 'UI', '1.2.840.10008.5.1.4.1.1.2'),
      text(0x00080018, 'UI', `${studyUid}.${series + 1}.1`),
      text(0x00080020, 'DA', `202601${String(study + 10)}`),
      text(0x00080060, 'CS', 'CT'),
      text(0x00081030, 'LO', `Study ${study}`),
      text(0x0008103e, 'LO', `Series ${series}`),
      text(0x00100020, 'LO', MRN),
      text(0x00100030, 'DA', '19700101'),
      text(0x0020000d, 'UI', studyUid),
      text(0x0020000e, 'UI', `${studyUid}.${series + 1}`),
      text(0x00200011, 'IS', `${series + 1}`),
    ],
    { vr: 'OW', bytes: new Uint8Array(8), encapsulated: false },
  );
}
