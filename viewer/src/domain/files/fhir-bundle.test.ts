import { expect, test } from 'vitest';
import { authorship, KEYED, MEASURED, NUMBERLESS } from '../../../test/setup/marks.ts';
import type { Study } from '../study.ts';
import { uidOf } from './document.ts';
import { bundleOf } from './fhir-bundle.ts';

const STUDY: Study = { uid: '1.2.20', id: 'study-ct', modalities: ['CT'], series: [] };

interface Entry {
  fullUrl: string;
  resource: Record<string, unknown> & { resourceType: string };
}
const entriesOf = (person?: string): Entry[] => {
  const marks = { measured: [...MEASURED, ...NUMBERLESS], keyed: KEYED, patient: 'helen', studies: [STUDY] };
  const bundle = bundleOf(marks, authorship(person));
  expect(bundle).toMatchObject({ resourceType: 'Bundle', type: 'collection' });
  return JSON.parse(JSON.stringify(bundle['entry'])) as Entry[];
};

test('each measurement is an Observation of the study, in the same order', () => {
  const observations = entriesOf('Ana García').filter(
    ({ resource }) => resource.resourceType === 'Observation',
  );
  expect(observations.map(({ fullUrl }) => fullUrl)).toEqual(
    MEASURED.map(({ measurement }) => `urn:uuid:${measurement.id}`),
  );
  expect(observations[0]!.resource).toEqual({
    resourceType: 'Observation',
    identifier: [{ system: 'urn:dicom:uid', value: `urn:oid:${uidOf(MEASURED[0]!.measurement.id)}` }],
    status: 'preliminary',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'imaging' }] },
    ],
    code: {
      coding: [{ system: 'http://snomed.info/sct', code: '410668003', display: 'Length' }],
      text: 'Length',
    },
    subject: { reference: 'Patient/helen' },
    issued: expect.stringMatching(/^2026-12-02T/) as string,
    performer: [{ display: 'Ana García' }],
    valueQuantity: { value: 35, unit: 'millimeter', system: 'http://unitsofmeasure.org', code: 'mm' },
    derivedFrom: [
      {
        reference: 'ImagingStudy/study-ct',
        identifier: { system: 'urn:dicom:uid', value: 'urn:oid:1.2.20' },
        display: 'series 1, image 5, frame 1 (SOP Instance UID 1.2.20.1.5)',
      },
    ],
  });
});

test.each<[what: string, at: number, resource: Record<string, unknown>]>([
  ['two diameters', 1, { valueQuantity: { value: 42 }, component: [{ valueQuantity: { value: 14 } }] }],
  [
    'a region',
    3,
    {
      valueQuantity: { code: 'mm2' },
      component: [
        {
          code: {
            coding: [{ system: 'http://snomed.info/sct', code: '373098007', display: 'Mean' }],
            text: 'Attenuation Coefficient, Mean',
          },
          valueQuantity: { value: 35.25, code: "[hnsf'U]" },
        },
        {},
        {},
        {},
        { code: { text: 'Number of pixels' }, valueQuantity: { value: 1234 } },
      ],
    },
  ],
  ['a note', 7, { valueString: 'Nódulo: ¿vaso? \\ 😀 ^ =', code: { text: 'Comment' } }],
  ['a length without a scale', 9, { valueQuantity: { value: 5, code: '{pixels}' } }],
])('%s', (_what, at, resource) => {
  expect(entriesOf()[at]!.resource).toMatchObject(resource);
  expect(entriesOf()[at]!.resource).not.toHaveProperty('performer');
});

test('each key image is a Basic that stands for an ImagingSelection, in the same order', () => {
  const basics = entriesOf().filter(({ resource }) => resource.resourceType === 'Basic');
  expect(basics).toHaveLength(KEYED.length);
  const R5 = 'http://hl7.org/fhir/5.0/StructureDefinition';
  expect(basics[0]!.resource).toMatchObject({
    meta: { profile: [`${R5}/profile-ImagingSelection`] },
    code: { coding: [{ system: 'http://hl7.org/fhir/fhir-types', code: 'ImagingSelection' }] },
    subject: { reference: 'Patient/helen' },
    created: '2026-12-02',
    modifierExtension: [{ url: `${R5}/extension-ImagingSelection.status`, valueCode: 'available' }],
    extension: [
      { url: `${R5}/extension-ImagingSelection.code` },
      {
        url: `${R5}/extension-ImagingSelection.derivedFrom`,
        valueReference: { reference: 'ImagingStudy/study-ct' },
      },
      { url: `${R5}/extension-ImagingSelection.studyUid`, valueId: '1.2.20' },
      { url: `${R5}/extension-ImagingSelection.seriesUid`, valueId: '1.2.20.2' },
      {
        url: `${R5}/extension-ImagingSelection.instance`,
        extension: [
          { url: 'uid', valueId: '1.2.20.2.1' },
          { url: 'sopClass' },
          { url: 'subset', valueString: '7' },
        ],
      },
      { valueString: 'Second in the series, first here' },
    ],
  });
});
