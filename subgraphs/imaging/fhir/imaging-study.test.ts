import { describe, expect, test } from 'vitest';
import { describeWithSharedData, sharedDicomFiles } from '../../../gateway/test/setup/shared-data.ts';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { imagingStudy } from './imaging-study.ts';
import type { StudyRecord } from '../study/study-records.ts';
import { studyDocument } from '../study/document/study-document.ts';
import { sharedStudies } from '../test/dicom-rows.ts';
import { complaints } from '../test/fhir-judges.ts';

const context = { base: 'https://gateway.example/open', endpointStyle: 'contained' } as const;

/** Makes a row of tag → value; the mapping does not read the VR. */
function row(values: Record<string, unknown>): DicomJson {
  return Object.fromEntries(
    Object.entries(values).map(([tag, value]) => [
      tag,
      { vr: 'UN', ...(value !== undefined && { Value: Array.isArray(value) ? value : [value] }) },
    ]),
  );
}

function record(study: object, series: object[] = [], instances?: object[], patientId?: string): StudyRecord {
  return {
    ...(patientId && { patientId }),
    study: row({ [Tag.StudyInstanceUID]: '1.2.3', ...study }),
    series: series.map((values, index) => row({ [Tag.SeriesInstanceUID]: `1.2.3.${index + 1}`, ...values })),
    ...(instances && { instances: instances.map((values) => row(values as Record<string, unknown>)) }),
  };
}

describe('study', () => {
  const issuer = (id: string, type: string) => row({ '00400031': 'RIS', '00400032': id, '00400033': type });
  const acsn = { coding: [expect.objectContaining({ code: 'ACSN' })] };

  test.each<[string, object, object]>([
    ['IA-15 id', {}, { id: '1.2.3', status: 'available' }],
    ['IA-15 padded UID', { [Tag.StudyInstanceUID]: '1.2.3\0' }, { id: '1.2.3' }],
    ['IA-15 identifier', {}, { identifier: [{ system: 'urn:dicom:uid', value: 'urn:oid:1.2.3' }] }],
    [
      'IA-15 modality: at least one',
      {},
      {
        modality: [{ system: 'http://dicom.nema.org/resources/ontology/DCM', code: 'OT', display: 'Other' }],
      },
    ],
    [
      'IA-15 modalities',
      { [Tag.ModalitiesInStudy]: ['CT', 'SR', 'CT'] },
      { modality: [expect.objectContaining({ code: 'CT' }), expect.objectContaining({ code: 'SR' })] },
    ],
    [
      'IA-15 modalities in one value',
      { [Tag.ModalitiesInStudy]: ['CT\\SR'] },
      { modality: [expect.objectContaining({ code: 'CT' }), expect.objectContaining({ code: 'SR' })] },
    ],
    [
      'IA-15 empty modality',
      { [Tag.ModalitiesInStudy]: [''] },
      { modality: [expect.objectContaining({ code: 'OT' })] },
    ],
    [
      'IA-16 accession number',
      { [Tag.AccessionNumber]: ' A1 ' },
      {
        identifier: [expect.anything(), { type: acsn, value: 'A1' }],
        basedOn: [{ type: 'ServiceRequest', identifier: { type: acsn, value: 'A1' } }],
      },
    ],
    [
      'IA-16 accession number, issuer an OID',
      { [Tag.AccessionNumber]: 'A1', '00080051': [issuer('1.2.9', 'ISO')] },
      {
        identifier: [
          expect.anything(),
          { type: acsn, system: 'urn:oid:1.2.9', value: 'A1', assigner: { display: 'RIS' } },
        ],
      },
    ],
    [
      'IA-16 accession number, issuer a host name',
      { [Tag.AccessionNumber]: 'A1', '00080051': [issuer('ris.example', 'DNS')] },
      { identifier: [expect.anything(), { type: acsn, value: 'A1', assigner: { display: 'RIS' } }] },
    ],
    ['IA-16 started', { [Tag.StudyDate]: '20230224', [Tag.StudyTime]: '140249' }, { started: '2023-02-24' }],
    [
      'IA-16 started with zone',
      { [Tag.StudyDate]: '20230224', [Tag.StudyTime]: '140249', [Tag.TimezoneOffsetFromUTC]: '-0500' },
      { started: '2023-02-24T14:02:49-05:00' },
    ],
    [
      'IA-16 counts',
      { [Tag.NumberOfStudyRelatedSeries]: 2, [Tag.NumberOfStudyRelatedInstances]: '30 ' },
      { numberOfSeries: 2, numberOfInstances: 30 },
    ],
    [
      'IA-16 description',
      { [Tag.StudyDescription]: ' CT\u0000 Head\u001b$B \n' },
      { description: 'CT Head$B' },
    ],
    [
      'IA-16 referrer',
      { [Tag.ReferringPhysicianName]: { Alphabetic: 'House^Gregory^^Dr.^MD' } },
      { referrer: { display: 'Dr. Gregory House MD' } },
    ],
    [
      'IA-16 referrer, ideographic',
      { [Tag.ReferringPhysicianName]: { Ideographic: '山田^太郎' } },
      { referrer: { display: '山田 太郎' } },
    ],
    [
      'owner unknown',
      { [Tag.PatientID]: 'X1 ', [Tag.IssuerOfPatientID]: 'HOSP' },
      { subject: { type: 'Patient', identifier: { value: 'X1', assigner: { display: 'HOSP' } } } },
    ],
    [
      'owner without a PatientID',
      { [Tag.PatientID]: '' },
      { subject: { type: 'Patient', display: 'Unknown patient' } },
    ],
  ])('%s', (_, study, expected) => {
    const resource = imagingStudy(record(study), context);
    expect(resource).toMatchObject(expected);
    expect(complaints(resource)).toEqual([]);
  });

  test.each<[string, object]>([
    ['description', { [Tag.StudyDescription]: '  ' }],
    ['started', { [Tag.StudyDate]: '' }],
    ['referrer', { [Tag.ReferringPhysicianName]: { Alphabetic: '^^^^' } }],
    ['numberOfInstances', { [Tag.NumberOfStudyRelatedInstances]: '' }],
    ['numberOfSeries', { [Tag.NumberOfStudyRelatedSeries]: -1 }],
    ['basedOn', { [Tag.AccessionNumber]: undefined }],
    ['series', {}],
    ['meta', {}],
  ])('IA-16 an empty or impossible value leaves %s out', (element, study) => {
    expect(imagingStudy(record(study), context)).not.toHaveProperty(element);
  });

  test('IA-15 the subject is the patient of the clinical record', () => {
    expect(imagingStudy(record({ [Tag.PatientID]: 'X1' }, [], undefined, 'p1'), context).subject).toEqual({
      reference: 'Patient/p1',
      type: 'Patient',
    });
  });

  test('IA-15 IA-17 the endpoint, contained or by reference', () => {
    expect(imagingStudy(record({}), context)).toMatchObject({
      contained: [{ resourceType: 'Endpoint', id: 'e', address: 'https://gateway.example/open/dicomweb' }],
      endpoint: [{ reference: '#e' }],
    });
    const included = imagingStudy(record({}), { ...context, endpointStyle: 'included' });
    expect(included).toMatchObject({ endpoint: [{ reference: 'Endpoint/dicomweb' }] });
    expect(included).not.toHaveProperty('contained');
  });

  test('includes the accession numbers of the orders of the series', () => {
    const request = (number: string) => ({
      [Tag.RequestAttributesSequence]: [row({ [Tag.AccessionNumber]: number })],
    });
    const rows = record({ [Tag.AccessionNumber]: 'A1' }, [request('A2'), request('A1')]);
    expect(studyDocument(rows).accessionNumbers).toEqual(['A1', 'A2']);
  });
});

describe('series and instances', () => {
  test.each<[string, object, object]>([
    [
      'modality',
      { [Tag.Modality]: 'MR' },
      { modality: expect.objectContaining({ code: 'MR', display: 'Magnetic Resonance' }) },
    ],
    ['modality missing', {}, { modality: expect.objectContaining({ code: 'OT' }) }],
    ['number', { [Tag.SeriesNumber]: '7' }, { number: 7 }],
    ['number zero', { [Tag.SeriesNumber]: 0 }, { number: 0 }],
    [
      'body site',
      { [Tag.BodyPartExamined]: 'CHEST' },
      { bodySite: { system: 'http://snomed.info/sct', code: '51185008', display: 'Chest' } },
    ],
    [
      'body site that is not in the table',
      { [Tag.BodyPartExamined]: 'BIG TOE' },
      { bodySite: { code: 'BIG TOE', display: 'BIG TOE' } },
    ],
    ['laterality', { [Tag.Laterality]: 'L' }, { laterality: expect.objectContaining({ code: '7771000' }) }],
    ['started', { [Tag.SeriesDate]: '20230224' }, { started: '2023-02-24' }],
    [
      'started by the procedure step',
      { [Tag.PerformedProcedureStepStartDate]: '20230225' },
      { started: '2023-02-25' },
    ],
    [
      'performers',
      { [Tag.PerformingPhysicianName]: [{ Alphabetic: 'A^B' }, null, { Alphabetic: 'C' }] },
      { performer: [{ actor: { display: 'B A' } }, { actor: { display: 'C' } }] },
    ],
  ])('IA-16 series %s', (_, series, expected) => {
    const resource = imagingStudy(record({}, [series]), context);
    expect(resource.series?.[0]).toMatchObject(expected);
    expect(complaints(resource)).toEqual([]);
  });

  test.each<[string, object]>([
    ['number', { [Tag.SeriesNumber]: -3 }],
    ['number', { [Tag.SeriesNumber]: '' }],
    ['laterality', { [Tag.Laterality]: 'U' }],
    ['instance', {}],
  ])('IA-16 series without %s', (element, series) => {
    expect(imagingStudy(record({}, [series]), context).series?.[0]).not.toHaveProperty(element);
  });

  test('IA-16 puts instances into their series, sorted by number, and counts them', () => {
    const instance = (series: number, uid: string, values: object) => ({
      [Tag.SeriesInstanceUID]: `1.2.3.${series}`,
      [Tag.SOPInstanceUID]: uid,
      [Tag.SOPClassUID]: '1.2.840.10008.5.1.4.1.1.2',
      ...values,
    });
    const resource = imagingStudy(
      record(
        {},
        [{ [Tag.SeriesNumber]: 2 }, { [Tag.SeriesNumber]: 1 }],
        [
          instance(1, '9.10', { [Tag.InstanceNumber]: 10 }),
          instance(1, '9.2', { [Tag.InstanceNumber]: 2 }),
          instance(2, '9.3', { [Tag.SOPClassUID]: '', [Tag.ImageType]: ['ORIGINAL', 'PRIMARY'] }),
        ],
      ),
      context,
    );
    expect(resource).toMatchObject({ numberOfSeries: 2, numberOfInstances: 3 });
    expect(resource.series).toMatchObject([
      { uid: '1.2.3.2', instance: [{ uid: '9.3', title: 'ORIGINAL\\PRIMARY' }] },
      {
        uid: '1.2.3.1',
        numberOfInstances: 2,
        instance: [
          {
            uid: '9.2',
            number: 2,
            sopClass: { system: 'urn:ietf:rfc:3986', code: 'urn:oid:1.2.840.10008.5.1.4.1.1.2' },
          },
          { uid: '9.10' },
        ],
      },
    ]);
    expect(complaints(resource)).toEqual([]);
  });
});

describeWithSharedData('every study of the shared data', () => {
  const studies = sharedStudies('p1');

  test('IA-15 IA-16 is valid, and has the counts of the manifest', { timeout: 60_000 }, () => {
    const found = studies.map((rows) =>
      imagingStudy(rows, { ...context, lastUpdated: '2026-11-24T10:00:00.000Z' }),
    );
    expect(
      found.flatMap((resource) => complaints(resource).map((text) => `${resource.id}: ${text}`)),
    ).toEqual([]);
    const files = sharedDicomFiles().filter(({ studyUid }) => studyUid);
    for (const { id, numberOfInstances, series } of found) {
      const own = files.filter(({ studyUid }) => studyUid === id);
      expect(numberOfInstances).toBe(own.length);
      expect(new Set(series?.flatMap(({ instance }) => instance?.map(({ uid }) => uid)))).toEqual(
        new Set(own.map(({ sopInstanceUid }) => sopInstanceUid)),
      );
    }
    expect(found.length).toBe(new Set(files.map(({ studyUid }) => studyUid)).size);
  });

  test('IA-16 has no time zone unless the file states one', () => {
    for (const rows of studies) {
      const { started } = imagingStudy(rows, context);
      const zone = rows.study[Tag.TimezoneOffsetFromUTC]?.Value?.[0];
      expect(started?.includes('T') ?? false, started).toBe(
        zone !== undefined && started !== undefined && rows.study[Tag.StudyTime]?.Value !== undefined,
      );
    }
  });
});
