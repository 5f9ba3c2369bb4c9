import { expect, test } from 'vitest';
import { Tag, type DicomJson } from '../../../../schema/dicom/dicom.ts';
import { imagingStudy } from '../../fhir/imaging-study.ts';
import { studyDocument } from './study-document.ts';

const row = (values: Record<string, unknown>): DicomJson =>
  Object.fromEntries(Object.entries(values).map(([tag, value]) => [tag, { vr: 'UN', Value: [value] }]));

const rows = () => ({
  study: row({
    [Tag.StudyInstanceUID]: '1.2',
    [Tag.StudyDescription]: 'Head',
    [Tag.AccessionNumber]: 'A1',
    [Tag.PatientID]: 'MRN-SECRET',
    [Tag.PatientName]: 'Secret^Jane',
    [Tag.PatientBirthDate]: '19700101',
  }),
  series: [row({ [Tag.SeriesInstanceUID]: '1.2.1', [Tag.Modality]: 'CT' })],
  instances: [row({ [Tag.SeriesInstanceUID]: '1.2.1', [Tag.SOPInstanceUID]: '1.2.1.1' })],
});

function unfrozen(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const inside = Object.entries(value).flatMap(([name, child]) => unfrozen(child, `${path}/${name}`));
  return Object.isFrozen(value) ? inside : [path, ...inside];
}

test('the same rows give the same document, in any arrays', () => {
  const { study, series, instances } = rows();
  const document = studyDocument({ study, series, instances });
  expect(studyDocument({ study, series: [...series], instances: [...instances] })).toBe(document);
  expect(document.accessionNumbers).toEqual(['A1']);
  expect(document.series[0]).toMatchObject({ uid: '1.2.1', instance: [{ uid: '1.2.1.1' }] });
});

test('other rows give another document: without instances, with another series, with a new study row', () => {
  const { study, series, instances } = rows();
  const document = studyDocument({ study, series, instances });
  const others = [
    studyDocument({ study, series }),
    studyDocument({ study, series: [row({ [Tag.SeriesInstanceUID]: '1.2.2' })], instances }),
    studyDocument({ ...rows(), series, instances }),
  ];
  expect(new Set([document, ...others]).size).toBe(4);
  expect(others[0]!.series[0]).not.toHaveProperty('instance');
  expect(others[1]!.series[0]!.uid).toBe('1.2.2');
});

test('a document holds nothing of the patient or the caller, and is frozen', () => {
  const document = studyDocument(rows());
  expect(unfrozen(document)).toEqual([]);
  expect(JSON.stringify(document)).not.toMatch(
    /SECRET|Secret|19700101|https?:\/\/(?!hl7|terminology|dicom|snomed)/,
  );
});

test('a resource is frozen, and the same object for the same study, patient, URL and instant', () => {
  const record = rows();
  const context = {
    base: 'https://x/t',
    endpointStyle: 'contained',
    lastUpdated: '2026-01-01T00:00:00Z',
  } as const;
  const resource = imagingStudy({ ...record, patientId: 'p1' }, context);
  expect(unfrozen(resource)).toEqual([]);
  expect(imagingStudy({ ...record, patientId: 'p1' }, context)).toBe(resource);
  const others = [
    imagingStudy({ ...record, patientId: 'p2' }, context),
    imagingStudy(record, context),
    imagingStudy({ ...record, patientId: 'p1' }, { ...context, base: 'https://x/u' }),
    imagingStudy({ ...record, patientId: 'p1' }, { ...context, endpointStyle: 'included' }),
    imagingStudy({ ...record, patientId: 'p1' }, { ...context, lastUpdated: '2026-01-02T00:00:00Z' }),
  ];
  expect(others.map(({ subject }) => subject.reference ?? subject.identifier?.value)).toEqual([
    'Patient/p2',
    'MRN-SECRET',
    'Patient/p1',
    'Patient/p1',
    'Patient/p1',
  ]);
  expect(new Set([resource, ...others].map((one) => JSON.stringify(one))).size).toBe(6);
});
