import type { ImagingStudy } from 'fhir/r4.js';
import { describe, expect, test } from 'vitest';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { studyTest } from '../../../schema/fhir/study-match.ts';
import type { Candidate } from './criterion.ts';
import { imagingStudy } from './imaging-study.ts';
import { inOrder, matches, parseSearch, studyUidsOf } from './search.ts';

const rules = { strict: false, patientBases: ['https://ehr.example/fhir'] };
const strict = { ...rules, strict: true };
const NOW = Date.parse('2026-11-24T00:00:00Z');

function read(query: string, by = rules) {
  return parseSearch(new URLSearchParams(query), by);
}

function row(values: Record<string, unknown>): DicomJson {
  return Object.fromEntries(
    Object.entries(values).map(([tag, value]) => [tag, { vr: 'UN', Value: [value] }]),
  );
}

/** One CT of the chest of 2023-05-11, accession A1, one series of one instance. */
const study: ImagingStudy = imagingStudy(
  {
    patientId: 'p1',
    study: row({
      [Tag.StudyInstanceUID]: '1.2.3',
      [Tag.StudyDate]: '20230511',
      [Tag.AccessionNumber]: 'A1',
      [Tag.ModalitiesInStudy]: 'CT',
    }),
    series: [
      row({ [Tag.SeriesInstanceUID]: '1.2.3.4', [Tag.Modality]: 'CT', [Tag.BodyPartExamined]: 'CHEST' }),
    ],
    instances: [
      row({
        [Tag.SeriesInstanceUID]: '1.2.3.4',
        [Tag.SOPInstanceUID]: '1.2.3.4.5',
        [Tag.SOPClassUID]: '1.2.840.10008.5.1.4.1.1.2',
      }),
    ],
  },
  { base: 'https://gateway.example/open', endpointStyle: 'contained' },
);
const known = { lastUpdated: '2024-06-15T12:00:00.000Z', fresh: false };

describe('IA-13 basedon=ServiceRequest/{id}', () => {
  const links = (_patientId: string, ...numbers: string[]) => ({ _patientId, _accessionNumbers: numbers });
  test.each([
    ['an order of the patient with the accession number', links('p1', 'A0', 'A1'), true],
    ['another accession number', links('p1', 'A2'), false],
    ['the same number of another patient', links('p2', 'A1'), false],
    ['an order whose patient is not known', { _accessionNumbers: ['A1'] }, false],
    ['no such order', undefined, false],
  ])('%s', (_, found, expected) => {
    const keys = { id: study.id!, _patientId: 'p1', _accessionNumbers: ['A1'] };
    for (const query of ['basedon=ServiceRequest/1', 'basedon:ServiceRequest=1']) {
      const search = read(query);
      const { linked } = search.criteria[0]!;
      expect(linked).toEqual({ type: 'ServiceRequest', name: '_id', value: '1' });
      const tests = new Map([[linked!, found ? [studyTest(found) ?? (() => false)] : []]]);
      expect(matches(search, { study, memory: known, keys, tests }, NOW)).toBe(expected);
    }
  });
});

describe('IA-13 what a study matches', () => {
  test.each<[query: string, matches: boolean]>([
    ['', true],
    ['_id=1.2.3', true],
    ['_id=9,1.2.3', true],
    ['_id=1.2', false],
    ['identifier=urn:oid:1.2.3', true],
    ['identifier=urn:dicom:uid|urn:oid:1.2.3', true],
    ['identifier=urn:dicom:uid|1.2.3', true],
    ['identifier=urn:dicom:uid|', true],
    ['identifier=1.2.3', true],
    ['identifier=1.2', false],
    ['identifier=A1', true],
    ['identifier=|A1', true],
    ['identifier=urn:other|A1', false],
    ['identifier=A2,A1', true],
    ['identifier=A1&identifier=1.2.3', true],
    ['identifier=A1&identifier=A2', false],
    ['identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|ACSN|A1', true],
    ['identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|A1', false],
    ['basedon:identifier=A1', true],
    ['basedon.identifier=|A1', true],
    ['basedon=ServiceRequest/1', false],
    ['modality=CT', true],
    ['modality=ct', true],
    ['modality=MR,CT', true],
    ['modality=MR', false],
    ['modality:not=MR', true],
    ['modality:not=CT', false],
    ['modality=http://dicom.nema.org/resources/ontology/DCM|CT', true],
    ['modality=urn:other|CT', false],
    ['modality=|CT', false],
    ['bodysite=51185008', true],
    ['bodysite=http://snomed.info/sct|51185008', true],
    ['bodysite=CHEST', true],
    ['bodysite=HEAD', false],
    ['status=available', true],
    ['status=cancelled', false],
    ['started=2023-05-11', true],
    ['started=2023', true],
    ['started=ge2023-05&started=lt2023-06', true],
    ['started=ge2023-06', false],
    ['started=2022,2023', true],
    ['series=1.2.3.4', true],
    ['series=urn:oid:1.2.3.4', true],
    ['series=1.2.3', false],
    ['instance=1.2.3.4.5', true],
    ['instance=1.2.3.4', false],
    ['dicom-class=urn:oid:1.2.840.10008.5.1.4.1.1.2', true],
    ['dicom-class=urn:oid:1.2.840.10008.5.1.4.1.1.4', false],
    ['_lastUpdated=2024-06-15', true],
    ['_lastUpdated=gt2024-06-15', false],
    ['_lastUpdated=ge2024-06&_lastUpdated=le2024-06', true],
    ['_lastUpdated=ge2024-06-15T14:00:00%2B02:00', true],
    ['_lastUpdated=gt2024-06-15T12:00:00Z', false],
    ['_lastUpdated=eb2024-06-16', true],
    ['_lastUpdated=sa2024-06-15', false],
    ['_lastUpdated=ne2024-06-15', false],
    ['_lastUpdated=lt2024', false],
    ['_lastUpdated=ap2024-06-10', true],
    ['nothing=known', true],
    ['modality=', true],
  ])('%s → %s', (query, expected) => {
    expect(matches(read(query), { study, memory: known }, NOW)).toBe(expected);
  });

  test.each<[query: string, matches: boolean]>([
    ['_lastUpdated=ge2030', true],
    ['_lastUpdated=gt2030', true],
    ['_lastUpdated=sa2030', true],
    ['_lastUpdated=lt2020', false],
    ['_lastUpdated=eq2030', false],
  ])('a study of which nothing is remembered: %s → %s', (query, expected) => {
    expect(matches(read(query), { study }, NOW)).toBe(expected);
    const fresh = { lastUpdated: '2026-11-24T00:00:00.000Z', fresh: true };
    expect(matches(read(query), { study, memory: fresh }, NOW)).toBe(expected);
  });

  test('a study without a date is in no range', () => {
    const { started: _, ...undated } = study;
    expect(matches(read('started=ge1900'), { study: undated as ImagingStudy }, NOW)).toBe(false);
  });
});

test.each<[query: string, patients: unknown]>([
  ['', []],
  ['patient=123', [[{ id: '123' }]]],
  ['patient=Patient/123', [[{ id: '123' }]]],
  ['subject=Patient/123', [[{ id: '123' }]]],
  ['subject:Patient=123', [[{ id: '123' }]]],
  ['patient=https://ehr.example/fhir/Patient/123', [[{ id: '123' }]]],
  ['patient=https://elsewhere.example/fhir/Patient/123', [['foreign']]],
  ['patient=Practitioner/123', [['foreign']]],
  ['patient=1,Patient/2', [[{ id: '1' }, { id: '2' }]]],
  ['patient=1&subject=2', [[{ id: '1' }], [{ id: '2' }]]],
  ['patient.identifier=urn:mrn|7', [[{ identifier: { system: 'urn:mrn', value: '7' } }]]],
  ['subject.identifier=7', [[{ identifier: { value: '7' } }]]],
  ['subject:Patient.identifier=7', [[{ identifier: { value: '7' } }]]],
  ['patient:identifier=|7', [[{ identifier: { value: '7' } }]]],
])('IA-13 IA-7 %s names %j', (query, patients) => {
  expect(read(query).patients).toEqual(patients);
});

test.each<[query: string, rules: typeof rules, code: string | undefined]>([
  ['patient=', rules, 'invalid_request'],
  ['patient=a/b/c', rules, 'invalid_request'],
  ['patient=urn:uuid:1', rules, 'invalid_request'],
  ['patient.identifier=urn:mrn|', rules, 'invalid_request'],
  ['patient.name=Smith', rules, undefined],
  ['subject:Group.name=Smith', rules, 'unsupported_parameter'],
  ['basedon:CarePlan.status=active', rules, 'unsupported_parameter'],
  ['encounter=a/b', rules, 'invalid_request'],
  ['patient:Group=1', rules, 'unsupported_parameter'],
  ['modality:text=CT', rules, 'unsupported_parameter'],
  ['started=May', rules, 'invalid_request'],
  ['started=2024-02-30', rules, 'invalid_request'],
  ['started=ge2024-02-30,2025', rules, 'invalid_request'],
  ['modality=|', rules, 'invalid_request'],
  ['modality:not=|', rules, 'invalid_request'],
  ['identifier=|', rules, 'invalid_request'],
  ['basedon:identifier=|', rules, 'invalid_request'],
  ['referrer:identifier=|', rules, 'invalid_request'],
  ['series=|', rules, 'invalid_request'],
  ['patient.identifier=|', rules, 'invalid_request'],
  ['modality:missing=maybe', rules, 'unsupported_parameter'],
  ['endpoint=a b', rules, 'invalid_request'],
  ['_lastUpdated=ge', rules, 'invalid_request'],
  ['_count=many', rules, 'invalid_request'],
  ['_count=-1', rules, 'invalid_request'],
  ['_offset=x', rules, 'invalid_request'],
  ['identifier:of-type=A1', rules, 'invalid_request'],
  ['nothing=known', rules, undefined],
  ['nothing=known', strict, 'unsupported_parameter'],
  ['_sort=size', rules, undefined],
  ['_sort=size', strict, 'unsupported_parameter'],
  ['_include=ImagingStudy:series', rules, undefined],
  ['_include=ImagingStudy:series', strict, 'unsupported_parameter'],
  ['_include=ImagingStudy:subject', strict, undefined],
  ['_include=ImagingStudy:basedon:CarePlan', strict, 'unsupported_parameter'],
  ['_revinclude=Observation:derived-from', strict, undefined],
  ['_revinclude=DiagnosticReport:result', strict, 'unsupported_parameter'],
  ['_summary=some', rules, 'invalid_request'],
  ['_has:Observation:subject:code=1', strict, 'unsupported_parameter'],
  [
    'patient=1&_include=*&_sort=-started&_count=5&_elements=id&_total=none&_format=json&_pretty=true',
    strict,
    undefined,
  ],
])('IA-13 %s (%j) → %s', (query, by, code) => {
  if (code) expect(() => read(query, by)).toThrow(expect.objectContaining({ code }));
  else expect(() => read(query, by)).not.toThrow();
});

test('IA-13 the self link has only the parameters that were applied', () => {
  const { applied, notApplied } = read(
    'patient=1&color=red&modality=&_sort=size&_include=ImagingStudy:endpoint&_count=5000',
  );
  expect(applied).toEqual([
    ['patient', '1'],
    ['_include', 'ImagingStudy:endpoint'],
    ['_count', '1000'],
  ]);
  expect(notApplied.map(({ message }) => message).join()).toMatch(/_sort.*color.*modality is empty/);
});

test.each<[query: string, uids: string[] | undefined]>([
  ['_id=1.2,1.3', ['1.2', '1.3']],
  ['identifier=urn:oid:1.2', ['1.2']],
  ['identifier=urn:dicom:uid|urn:oid:1.2&_id=1.2,1.3', ['1.2']],
  ['identifier=1.2', undefined],
  ['identifier=urn:oid:1.2,A1', undefined],
  ['modality=CT', undefined],
])('%s names the studies %j', (query, uids) => {
  expect(studyUidsOf(read(query))).toEqual(uids);
});

test.each<[query: string, ids: string[]]>([
  ['', ['c', 'a', 'b', 'd']],
  ['_sort=started', ['b', 'a', 'c', 'd']],
  ['_sort=-started', ['c', 'a', 'b', 'd']],
  ['_sort=_lastUpdated', ['d', 'c', 'a', 'b']],
  ['_sort=-_id', ['d', 'c', 'b', 'a']],
])('IA-13 %s sorts, studies without a value last: %j', (query, ids) => {
  const of = (id: string, started: string | undefined, seconds: number): Candidate => ({
    study: { ...study, id, ...(started ? { started } : { started: undefined }) } as ImagingStudy,
    memory: { lastUpdated: new Date(seconds * 1000).toISOString(), fresh: false },
  });
  const candidates = [
    of('a', '2023-01', 3),
    of('b', '2022', 4),
    of('c', '2023-05-11T10:00:00+02:00', 2),
    of('d', undefined, 1),
  ];
  expect(inOrder(read(query), candidates).map((candidate) => candidate.study.id)).toEqual(ids);
});
