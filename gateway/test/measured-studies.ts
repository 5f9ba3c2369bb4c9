/** Studies of two patients with structured reports, and the record with their reports: data of tests. */
import { smallObjects } from './setup/small-objects.ts';
import { coded, container, num, reference, srFile, texted, uidref } from './setup/sr-objects.ts';

/** A CT of the chest of `p1`, with measurements and a dose report. */
export const STUDY = '1.2.3.1';
/** The same of `p2`. */
export const FOREIGN = '1.2.4.1';
/** In the archive of `p2`, in the record of `p1`. */
export const DISPUTED = '1.2.4.2';
/** Only the record has it, as it has `ehr-prior`, which has no UID. */
export const RECORDED = '1.2.3.20';
const GROUP = 'DCM 125007 Measurement Group';
const DIAMETER = 'SCT 81827009 Diameter';

const measured = (studyUid: string, patientId: string) =>
  srFile({
    studyUid,
    patientId,
    title: 'DCM 126000 Imaging Measurement Report',
    children: [
      container(
        GROUP,
        texted('DCM 112039 Tracking Identifier', 'Nodule 1', { as: 'HAS OBS CONTEXT' }),
        coded('SCT 363698007 Finding Site', 'SCT 39607008 Lung', { as: 'HAS CONCEPT MOD' }),
        num(DIAMETER, '12.50', 'UCUM mm millimeter', { children: [reference([1, 1])] }),
        num('SCT 118565006 Volume', '900', undefined),
      ),
    ],
  });
const dose = srFile({
  studyUid: STUDY,
  patientId: 'MRN-p1',
  sopInstanceUid: `${STUDY}.9.2`,
  title: 'DCM 113701 X-Ray Radiation Dose Report',
  children: [
    container(
      'DCM 113819 CT Acquisition',
      uidref('DCM 113769 Irradiation Event UID', '1.2.3.1.55'),
      container('DCM 113829 CT Dose', num('DCM 113830 Mean CTDIvol', '10.250', 'UCUM mGy mGy')),
    ),
  ],
});
const study = (studyUid: string, date: string, more: object = {}) =>
  smallObjects({ studyUid, patientId: 'MRN-p1', date, bodyPart: 'CHEST', ...more })[0]!;

/** Part 10 files by name. */
export const objects = {
  now: study(STUDY, '20260110'),
  measured: measured(STUDY, 'MRN-p1'),
  dose,
  chest2025: study('1.2.3.2', '20250601', { accessionNumber: 'A2' }),
  chest2024: study('1.2.3.3', '20240601', { bodyPart: 'LUNG' }),
  abdomen: study('1.2.3.4', '20250701', { bodyPart: 'ABDOMEN' }),
  mr: study('1.2.3.5', '20250801', { modality: 'MR' }),
  later: study('1.2.3.6', '20270101'),
  confidential: study('1.2.3.7', '20250901', { bodyPart: 'THORAX' }),
  foreign: study(FOREIGN, '20250101', { patientId: 'MRN-p2' }),
  disputed: study(DISPUTED, '20250101', { patientId: 'MRN-p2' }),
  foreignMeasured: measured(FOREIGN, 'MRN-p2'),
};

export const subject = { reference: 'Patient/p1' };
const report = (id: string, more: object) => ({
  resourceType: 'DiagnosticReport',
  id,
  status: 'final',
  subject,
  code: { text: 'CT' },
  ...more,
});
const ofStudy = (uid: string) => ({ imagingStudy: [{ reference: `ImagingStudy/${uid}` }] });
/** A CT of the chest, as the record has it. */
const recorded = (
  id: string,
  started: string,
  { uid, ...more }: { uid?: string; [element: string]: unknown } = {},
) => ({
  resourceType: 'ImagingStudy',
  id,
  status: 'available',
  subject,
  started,
  ...(uid && { identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${uid}` }] }),
  modality: [{ code: 'CT' }],
  series: [
    {
      uid: '1.2.3.99',
      modality: { code: 'CT' },
      bodySite: { system: 'http://snomed.info/sct', code: '39607008' },
    },
  ],
  ...more,
});
const accession = { type: { coding: [{ code: 'ACSN' }] }, value: 'A2' };
/** The record. */
export const resources = [
  ...['p1', 'p2'].map((id) => ({
    resourceType: 'Patient',
    id,
    identifier: [{ value: `MRN-${id}`, type: { coding: [{ code: 'MR' }] } }],
  })),
  report('now', ofStudy(STUDY)),
  report('r2025', { identifier: [accession] }),
  report('r2024', ofStudy('1.2.3.3')),
  report('abdomen', ofStudy('1.2.3.4')),
  report('ehr', ofStudy(RECORDED)),
  recorded('ehr-study', '2025-08-15T10:00:00Z', { uid: RECORDED }),
  recorded('ehr-prior', '2023-05'),
  recorded('ehr-disputed', '2022', { uid: DISPUTED }),
  recorded('ehr-cancelled', '2025-08-16', { status: 'cancelled' }),
  recorded('ehr-foreign', '2025-08-16', { subject: { reference: 'Patient/p2' } }),
  report('foreign', { ...ofStudy(FOREIGN), subject: { reference: 'Patient/p2' } }),
  {
    resourceType: 'Observation',
    id: 'own',
    status: 'final',
    subject,
    code: { text: 'Size' },
    derivedFrom: [{ reference: `ImagingStudy/${STUDY}` }],
  },
  { resourceType: 'Observation', id: 'other', status: 'final', subject, code: { text: 'Glucose' } },
];
