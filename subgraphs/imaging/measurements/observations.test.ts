/** Structured reports as Observations (FG-18): what is read, and what broken or foreign reports give. */
import { describe, expect, test } from 'vitest';
import type { Observation } from 'fhir/r4.js';
import type { DicomJson } from '../../../schema/dicom/dicom.ts';
import {
  coded,
  container,
  image,
  num,
  reference,
  region,
  srJson,
  texted,
  uidref,
  type StructuredReport,
} from '../../../gateway/test/setup/sr-objects.ts';
import { decimalText } from '../../../schema/fhir/decimal.ts';
import { withNumericValues } from '../dicom/numeric-value.ts';
import { MAX_ITEMS } from './content-tree.ts';
import { readReports, type SeriesReports } from './report-task.ts';
import { processorTime } from '../../../gateway/test/setup/processor-time.ts';

const GROUP = 'DCM 125007 Measurement Group';
const DIAMETER = 'SCT 81827009 Diameter';
const MM = 'UCUM mm millimeter';

function read(...reports: DicomJson[]): SeriesReports {
  return readReports({ json: new Uint8Array(Buffer.from(withNumericValues(JSON.stringify(reports)))) });
}
const report = (children: StructuredReport['children'], more: Partial<StructuredReport> = {}) =>
  srJson({
    studyUid: '1.2.3',
    patientId: 'P',
    title: 'DCM 126000 Imaging Measurement Report',
    children,
    ...more,
  });
const observations = (...children: StructuredReport['children']) => read(report(children)).observations;
const only = (...children: StructuredReport['children']): Partial<Observation> => {
  const found = observations(...children);
  expect(found).toHaveLength(1);
  return found[0]!;
};

test('FG-18 a measurement group has one tracking id, site, finding and images for its measurements', () => {
  const observation = only(
    container(
      'DCM 126010 Imaging Measurements',
      container(
        GROUP,
        texted('DCM 112039 Tracking Identifier', 'Nodule 1', { as: 'HAS OBS CONTEXT' }),
        uidref('DCM 112040 Tracking Unique Identifier', '1.2.77', { as: 'HAS OBS CONTEXT' }),
        coded('DCM 121071 Finding', 'SCT 27925004 Nodule'),
        coded('SCT 363698007 Finding Site', 'SCT 39607008 Lung', {
          as: 'HAS CONCEPT MOD',
          children: [coded('SCT 272741003 Laterality', 'SCT 24028007 Right', { as: 'HAS CONCEPT MOD' })],
        }),
        num(DIAMETER, '12.5', MM, {
          children: [
            coded('SCT 370129005 Measurement Method', 'DCM 122493 Caliper', { as: 'HAS CONCEPT MOD' }),
            coded('DCM 121401 Derivation', 'SCT 56851009 Maximum', { as: 'HAS CONCEPT MOD' }),
            num('DCM 121407 Upper limit', '20', MM, { as: 'HAS PROPERTIES' }),
            region([image('1.2.3.1.7', '3', 'SELECTED FROM')]),
          ],
        }),
      ),
    ),
  );
  expect(observation).toMatchObject({
    resourceType: 'Observation',
    id: expect.stringMatching(/^sr-[0-9a-f]{40}$/),
    meta: { source: 'urn:oid:1.2.3.9.1' },
    identifier: [{ system: 'urn:dicom:uid', value: 'urn:oid:1.2.77' }, { value: 'Nodule 1' }],
    status: 'final',
    category: [{ coding: [{ code: 'imaging' }] }],
    code: { coding: [{ system: 'http://snomed.info/sct', code: '81827009' }], text: 'Diameter' },
    effectiveDateTime: '2026-01-10',
    valueQuantity: { value: 12.5, unit: 'millimeter', system: 'http://unitsofmeasure.org', code: 'mm' },
    bodySite: { coding: [{ code: '39607008' }], text: 'Lung, Right' },
    method: { text: 'Caliper' },
    derivedFrom: [
      { reference: 'ImagingStudy/1.2.3', type: 'ImagingStudy' },
      {
        type: 'Media',
        identifier: { system: 'urn:dicom:uid', value: 'urn:oid:1.2.3.1.7' },
        display: 'instance 1.2.3.1.7, frame 3',
      },
      { type: 'DocumentReference', identifier: { value: 'urn:oid:1.2.3.9.1' } },
    ],
    component: [
      { code: { text: 'Finding' }, valueCodeableConcept: { text: 'Nodule' } },
      { code: { text: 'Derivation' }, valueCodeableConcept: { text: 'Maximum' } },
      { code: { text: 'Upper limit' }, valueQuantity: { value: 20 } },
    ],
  });
});

describe('FG-18 a number that could be misunderstood is text', () => {
  test.each<[what: string, item: ReturnType<typeof num>, value: object]>([
    ['unit of UCUM', num(DIAMETER, '3', MM), { valueQuantity: { value: 3, unit: 'millimeter', code: 'mm' } }],
    ['no dimension', num(DIAMETER, '0.5', 'UCUM 1 no units'), { valueQuantity: { value: 0.5, code: '1' } }],
    ['no units', num(DIAMETER, '12.5', undefined), { valueString: '12.5' }],
    ['foreign units', num(DIAMETER, '3', '99LOCAL cm Length'), { valueString: '3 Length (cm, 99LOCAL)' }],
    [
      'unit that UCUM cannot write',
      num(DIAMETER, '3', 'UCUM cm^2 area'),
      { valueString: '3 area (cm^2, UCUM)' },
    ],
    [
      'unit that UCUM does not know',
      num(DIAMETER, '3', 'UCUM bpm beats'),
      { valueString: '3 beats (bpm, UCUM)' },
    ],
    [
      'name of an object',
      num(DIAMETER, '3', 'UCUM constructor x'),
      { valueString: '3 x (constructor, UCUM)' },
    ],
    ['arbitrary unit', num(DIAMETER, '3', "UCUM [arb'U]/ml x"), { valueQuantity: { code: "[arb'U]/ml" } }],
    ['annotation', num(DIAMETER, '3', 'UCUM {SUVbw}g/ml x'), { valueQuantity: { code: '{SUVbw}g/ml' } }],
    ['no number', num(DIAMETER, 'about 3', MM), { valueString: 'about 3 mm' }],
    ['hexadecimal', num(DIAMETER, '0x10', MM), { valueString: expect.stringMatching(/ mm$/) }],
    ['two numbers', num(DIAMETER, '3\\4', MM), { valueString: '3, 4 mm' }],
    [
      'number with a remark',
      num(DIAMETER, '3', MM, { qualifier: 'DCM 114006 Measurement failure' }),
      { valueString: '3 mm (Measurement failure)' },
    ],
    [
      'remark in place of a number',
      num(DIAMETER, undefined, undefined, { qualifier: 'DCM 114000 Not a number' }),
      { dataAbsentReason: { text: 'Not a number' } },
    ],
    ['nothing', num(DIAMETER, undefined, undefined), { dataAbsentReason: { coding: [{ code: 'unknown' }] } }],
  ])('%s', (_what, item, value) => {
    const found = only(item);
    expect(found).toMatchObject(value);
    if (!('valueQuantity' in value)) expect(found).not.toHaveProperty('valueQuantity');
  });
});

test.each([
  ['5.0', '5.0'],
  ['12.50', '12.50'],
  ['+05.00', '5.00'],
  ['.50', '0.50'],
  ['5.', '5'],
  ['-1e-3', '-1e-3'],
  ['1.0E2', '1.0e2'],
  ['0.000', '0.000'],
  ['12.5', '12.5'],
])('FG-4 FG-18 the number %s is %s: zeros say how exact it is', (written, expected) => {
  const { valueQuantity, component } = only(
    num(DIAMETER, written, MM, {
      children: [num('DCM 121407 Upper limit', written, MM, { as: 'HAS PROPERTIES' })],
    }),
  );
  expect([valueQuantity, component![0]!.valueQuantity].map((of) => decimalText(of!.value))).toEqual([
    expected,
    expected,
  ]);
});

test('FG-18 a foreign code is text, unless the report names its system', () => {
  const item = num('99LOCAL D1 Diameter', '3', MM);
  expect(only(item).code).toEqual({ text: 'Diameter (D1, 99LOCAL)' });
  expect(only(num('constructor D1 Diameter', '3', MM)).code).toEqual({ text: 'Diameter (D1, constructor)' });
  const scheme = [
    { tag: 0x00080102, vr: 'SH', value: '99LOCAL' },
    { tag: 0x0008010c, vr: 'UI', value: '1.2.99' },
  ];
  const named = report([item], { more: [{ tag: 0x00080110, vr: 'SQ', value: [scheme] }] });
  expect(read(named).observations[0]!.code.coding).toEqual([
    { system: 'urn:oid:1.2.99', code: 'D1', display: 'Diameter' },
  ]);
});

test.each<[completion: string, verification: string, status: string]>([
  ['COMPLETE', 'VERIFIED', 'final'],
  ['COMPLETE', 'UNVERIFIED', 'preliminary'],
  ['PARTIAL', 'VERIFIED', 'preliminary'],
  ['', '', 'unknown'],
])('FG-18 a report that is %s and %s gives measurements that are %s', (completion, verification, status) => {
  const { observations: found } = read(report([num(DIAMETER, '3', MM)], { completion, verification }));
  expect(found).toMatchObject([{ status }]);
});

describe('FG-18 a broken tree', () => {
  test('references in circles, to the item itself and to nothing, end', () => {
    const found = observations(
      num(DIAMETER, '3', MM, { children: [reference([1, 2]), reference([1, 1]), reference([1, 9, 9])] }),
      region([reference([1, 3]), image('1.2.3.1.7')]),
      region([reference([1, 2])]),
    );
    expect(found).toHaveLength(1);
    expect(JSON.stringify(found)).toContain('urn:oid:1.2.3.1.7');
  });

  test('a chain of references is followed up to a limit', async () => {
    const chain = Array.from({ length: 4000 }, (_, index) => region([reference([1, index + 2])]));
    const follow = () => expect(observations(...chain, num(DIAMETER, '3', MM))).toHaveLength(1);
    expect(await processorTime(follow)).toBeLessThan(15_000);
  });

  test('items without type, name, or of another shape are left out', () => {
    const broken = report([num(DIAMETER, '3', MM)]);
    const content = broken['0040A730']!.Value!;
    const nameless = { '0040A040': { vr: 'CS', Value: ['NUM'] } };
    content.push(null, 7, 'text', {}, nameless, { '0040A730': { vr: 'SQ', Value: ['none'] } });
    expect(read(broken).observations).toHaveLength(1);
    expect(read({ ...broken, '0040A730': { vr: 'SQ' } }, {} as never).observations).toEqual([]);
  });

  test('a report that is too large or too deep is refused by itself', () => {
    const many = report([texted('DCM 121071 Finding', 'x')]);
    many['0040A730']!.Value = Array.from({ length: MAX_ITEMS }, () => many['0040A730']!.Value![0]);
    let deep = num(DIAMETER, '3', MM);
    for (let level = 0; level < 70; level++) deep = container(GROUP, deep);
    const { observations: found, refused } = read(many, report([deep]), report([num(DIAMETER, '3', MM)]));
    expect(found).toHaveLength(1);
    expect(refused).toHaveLength(2);
    expect(refused[0]).toMatch(/more than 10000 content items/);
  });

  test('more images than an Observation names are given by their series', () => {
    const images = Array.from({ length: 300 }, (_, index) => image(`1.2.3.1.${index + 1}`));
    const sops = images.map((_, index) => [{ tag: 0x00081155, vr: 'UI', value: `1.2.3.1.${index + 1}` }]);
    const series = [
      { tag: 0x0020000e, vr: 'UI', value: '1.2.3.1' },
      { tag: 0x00081199, vr: 'SQ', value: sops },
    ];
    const study = [{ tag: 0x00081115, vr: 'SQ', value: [series] }];
    const { observations: found } = read(
      report([container(GROUP, ...images, num(DIAMETER, '3', MM))], {
        more: [{ tag: 0x0040a375, vr: 'SQ', value: [study] }],
      }),
    );
    expect(found[0]!.derivedFrom).toHaveLength(3);
    expect(found[0]!.derivedFrom![1]!.display).toBe('series 1.2.3.1');
  });
});

test('FG-18 an echocardiogram (TID 5200) keeps view, phase and site of each number', () => {
  const mod = { as: 'HAS CONCEPT MOD' };
  const [found, ...others] = read(
    report(
      [
        container(
          'DCM 121070 Findings',
          coded('SRT G-C0E3 Finding Site', 'SRT T-32600 Left Ventricle', mod),
          container(
            GROUP,
            coded('SRT G-0373 Image Mode', 'SRT G-03A2 2D mode', mod),
            num('LN 29436-3 Left Ventricle Internal End Diastolic Dimension', '4.8', 'UCUM cm centimeter', {
              children: [coded('SRT R-4089A Cardiac Cycle Point', 'SRT F-32011 End Diastole', mod)],
            }),
          ),
        ),
      ],
      { title: 'DCM 125200 Adult Echocardiography Procedure Report' },
    ),
  ).observations;
  expect(others).toEqual([]);
  expect(found).toMatchObject({
    code: { coding: [{ system: 'http://loinc.org', code: '29436-3' }] },
    valueQuantity: { value: 4.8, code: 'cm' },
    bodySite: { coding: [{ system: 'http://snomed.info/srt', code: 'T-32600' }] },
    component: [
      { valueCodeableConcept: { text: '2D mode' } },
      { valueCodeableConcept: { text: 'End Diastole' } },
    ],
  });
});

test('FG-18 a CAD report (TID 4100) gives its findings, and their numbers with the finding', () => {
  const found = read(
    report(
      [
        container(
          'DCM 111017 CAD Processing and Findings Summary',
          coded('DCM 111059 Single Image Finding', 'SCT 27925004 Nodule', {
            children: [
              num('DCM 111012 Certainty of Finding', '80', 'UCUM % percent', { as: 'HAS PROPERTIES' }),
              region([image('1.2.3.1.7', undefined, 'SELECTED FROM')], 'HAS PROPERTIES'),
            ],
          }),
        ),
      ],
      { title: 'DCM 112000 Chest CAD Report' },
    ),
  ).observations;
  expect(found).toMatchObject([
    { code: { text: 'Single Image Finding' }, valueCodeableConcept: { text: 'Nodule' } },
    {
      valueQuantity: { value: 80, code: '%' },
      component: [{ code: { text: 'Single Image Finding' }, valueCodeableConcept: { text: 'Nodule' } }],
    },
  ]);
  for (const one of found) expect(JSON.stringify(one.derivedFrom)).toContain('urn:oid:1.2.3.1.7');
});
