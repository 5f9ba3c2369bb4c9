/** Which earlier studies are comparable (FG-18), by what archive and record state. */
import { describe, expect, test } from 'vitest';
import type { ImagingStudy } from 'fhir/r4.js';
import type { DicomElement, DicomJson } from '../../../schema/dicom/dicom.ts';
import { BODY_REGIONS } from './body-regions.ts';
import type { ComparableStudy } from './compared-study.ts';
import { priorTo, type PriorsArguments } from './comparison.ts';

const of = (vr: string, ...Value: unknown[]): DicomElement => ({ vr, Value });
const codes = (...all: string[]) =>
  of('SQ', ...all.map((one) => ({ '00080100': of('SH', one), '00080102': of('SH', 'SCT') })));

interface Given {
  date?: string;
  time?: string;
  modality?: string;
  body?: string;
  side?: string;
  region?: string;
  procedure?: string;
  requested?: string;
}

function archived({ date = '20250101', modality = 'CT', ...given }: Given) {
  const study: DicomJson = {
    ...(date && { '00080020': of('DA', date) }),
    ...(given.time && { '00080030': of('TM', given.time) }),
    '00080061': of('CS', ...modality.split('\\')),
    ...(given.procedure && { '00081032': codes(given.procedure) }),
  };
  const series: DicomJson = {
    '00080060': of('CS', modality.split('\\')[0]),
    ...(given.body && { '00180015': of('CS', given.body) }),
    ...(given.side && { '00200060': of('CS', given.side) }),
    ...(given.region && { '00082218': codes(given.region) }),
    ...(given.requested && { '00400275': of('SQ', { '00321064': codes(given.requested) }) }),
  };
  return { study: { status: 'available' as const }, record: { study, series: [series] } };
}

/** The study that is compared is of 2026. */
const isPrior = (current: Given, candidate: Given, args: PriorsArguments = {}) =>
  priorTo(archived({ date: '20260101', ...current }), args)(archived(candidate));

describe('FG-18 comparable studies', () => {
  test.each<[current: Given, candidate: Given, expected: boolean]>([
    [{ body: 'CHEST' }, { body: 'CHEST' }, true],
    [{ body: 'CHEST' }, { body: 'Chest ' }, true],
    [{ body: 'CHEST' }, { body: 'LUNG' }, true],
    [{ body: 'CHEST' }, { body: 'ABDOMEN' }, false],
    [{ body: 'CHEST' }, { body: 'CHESTABDPELVIS' }, true],
    [{ body: 'PELVIS' }, { body: 'CHESTABDPELVIS' }, true],
    [{ body: 'NECKCHESTABDPELV' }, { body: 'ABDOMEN' }, true],
    [{ body: 'LOWERLIMB' }, { body: 'KNEE' }, true],
    [{ body: 'UPPERLIMB', side: 'L' }, { body: 'HAND', side: 'R' }, false],
    [{ body: 'LSSPINE' }, { region: '122496007' }, true],
    [{ body: 'RVENTRICLE' }, { body: 'HEART' }, true],
    [{ region: '113262008' }, { body: 'THORACICAORTA' }, true],
    [{ body: 'CHEST' }, { region: '51185008' }, true],
    [{ region: '39607008' }, { region: '816094009' }, true],
    [{ region: '12738006' }, { body: 'CHEST' }, false],
    [{ modality: 'CR', body: 'CHEST' }, { modality: 'DX', body: 'CHEST' }, true],
    [{ modality: 'PT\\CT', body: 'CHEST' }, { modality: 'CT', body: 'CHEST' }, true],
    [{ modality: 'NM', body: 'HEART' }, { modality: 'PT', body: 'HEART' }, true],
    [{ modality: 'CT', body: 'CHEST' }, { modality: 'MR', body: 'CHEST' }, false],
    [{ modality: 'CT\\SR', body: 'CHEST' }, { modality: 'MR\\SR', body: 'CHEST' }, false],
    [{ modality: 'SR', body: 'CHEST' }, { modality: 'SR', body: 'CHEST' }, false],
    [{ modality: 'DX', body: 'KNEE', side: 'L' }, { modality: 'DX', body: 'KNEE', side: 'R' }, false],
    [{ modality: 'DX', body: 'KNEE', side: 'L' }, { modality: 'DX', body: 'KNEE' }, true],
    [{ modality: 'DX', body: 'CHEST', side: 'L' }, { modality: 'DX', body: 'CHEST', side: 'R' }, true],
    [{ procedure: '169069000' }, { procedure: '169069000' }, true],
    [{ requested: '169069000' }, { procedure: '169069000', body: 'CHEST' }, true],
    [{ body: 'CHEST' }, {}, false],
    [{}, {}, true],
    [{ body: 'SOMETHING' }, { body: 'CHEST' }, false],
  ])('%j and the earlier %j: %s', (current, candidate, expected) => {
    expect(isPrior(current, candidate)).toBe(expected);
  });
});

test.each<[current: Given, candidate: Given, expected: boolean]>([
  [{}, { date: '20260101' }, false],
  [{}, { date: '20260102' }, false],
  [{ time: '100000' }, { date: '20260101', time: '095959' }, true],
  [{ time: '100000' }, { date: '20260101', time: '100000' }, false],
  [{ time: '100000' }, { date: '20260101' }, false],
  [{}, { date: '2025.12.31' }, true],
  [{}, { date: '' }, false],
  [{ date: '' }, {}, false],
])('FG-18 of %j, the study %j is earlier: %s', (current, candidate, expected) => {
  expect(isPrior(current, candidate)).toBe(expected);
});

test.each<[args: PriorsArguments, expected: boolean]>([
  [{}, false],
  [{ modality: ['MR'] }, true],
  [{ modality: ['mr', 'US'] }, true],
  [{ modality: ['CT'] }, false],
  [{ modality: ['MR'], bodySite: ['THORAX'] }, true],
  [{ modality: ['MR'], bodySite: ['http://snomed.info/sct|39607008'] }, true],
  [{ modality: ['MR'], bodySite: ['chest'] }, true],
  [{ modality: ['MR'], bodySite: ['BRAIN'] }, false],
])('FG-18 arguments replace the comparison: %j', (args, expected) => {
  expect(isPrior({ body: 'CHEST' }, { modality: 'MR', body: 'CHEST' }, args)).toBe(expected);
});

test.each<[args: PriorsArguments, message: RegExp]>([
  [{ bodySite: ['CHESTT'] }, /The nearest is "CHEST"/],
  [{ bodySite: [] }, /bodySite has no value/],
  [{ modality: [] }, /modality has no value/],
])('FG-20 an argument that cannot be applied is refused: %j', (args, message) => {
  expect(() => isPrior({}, {}, args)).toThrow(message);
});

test('FG-18 each term and code is written as it is compared, and once in its region', () => {
  for (const { terms, codes: own } of Object.values(BODY_REGIONS)) {
    for (const term of terms) expect(term).toMatch(/^[A-Z0-9]+$/);
    for (const code of own) expect(code).toMatch(/^\d{6,18}$/);
    expect(new Set(terms).size).toBe(terms.length);
    expect(new Set(own).size).toBe(own.length);
  }
});

const snomed = (code: string) => ({ system: 'http://snomed.info/sct', code });
const CHEST_CT: Partial<ImagingStudy> = {
  started: '2025-06-01T10:00:00Z',
  modality: [{ code: 'CT' }],
  series: [{ uid: '1', modality: { code: 'CT' }, bodySite: snomed('39607008') }],
};
/** A study that only the clinical record has. */
function recorded(own: Partial<ImagingStudy>): ComparableStudy {
  const resource: ImagingStudy = { resourceType: 'ImagingStudy', status: 'available', subject: {}, ...own };
  return { study: resource, own: { resource } };
}
const knee = (code?: string) => ({
  series: [
    {
      uid: '1',
      modality: { code: 'CT' },
      bodySite: snomed('72696002'),
      ...(code && { laterality: { code } }),
    },
  ],
});

describe('FG-18 a study that only the record has', () => {
  test.each<[what: string, candidate: Partial<ImagingStudy>, current: Given, expected: boolean]>([
    ['of the same region', {}, { body: 'CHEST' }, true],
    ['of another region', {}, { body: 'ABDOMEN' }, false],
    ['of another modality', {}, { body: 'CHEST', modality: 'MR' }, false],
    [
      'with a modality of the same family',
      { modality: [{ code: 'cr' }], series: [] },
      { modality: 'DX' },
      true,
    ],
    ['without a modality', { modality: [], series: [] }, {}, false],
    [
      'with a term of DICOM',
      { series: [{ uid: '1', modality: { code: 'CT' }, bodySite: { code: 'Thorax' } }] },
      { body: 'CHEST' },
      true,
    ],
    [
      'with a site of another system',
      { series: [{ uid: '1', modality: { code: 'CT' }, bodySite: { system: 'urn:x', code: '39607008' } }] },
      { body: 'CHEST' },
      false,
    ],
    [
      'with the procedure code',
      { procedureCode: [{ coding: [snomed('169069000')] }] },
      { procedure: '169069000' },
      true,
    ],
    [
      'with that code of another system',
      { procedureCode: [{ coding: [{ system: 'urn:x', code: '169069000' }] }] },
      { procedure: '169069000' },
      false,
    ],
    ['of the same side', knee('7771000'), { body: 'KNEE', side: 'L' }, true],
    ['of the other side', knee('24028007'), { body: 'KNEE', side: 'L' }, false],
    ['of no side', knee(), { body: 'KNEE', side: 'L' }, true],
    ['later', { started: '2026-02' }, { body: 'CHEST' }, false],
    ['of the same month', { started: '2026-01' }, { body: 'CHEST' }, false],
    ['of an earlier year', { started: '2025' }, { body: 'CHEST' }, true],
    ['without a date', { started: undefined as never }, { body: 'CHEST' }, false],
    ['registered', { status: 'registered' }, { body: 'CHEST' }, true],
    ['cancelled', { status: 'cancelled' }, { body: 'CHEST' }, false],
    ['entered in error', { status: 'entered-in-error' }, { body: 'CHEST' }, false],
  ])('%s', (_what, own, current, expected) => {
    const rows = archived({ date: '20260115', ...current });
    const study = { ...rows.study, started: '2026-01-15' };
    expect(priorTo({ ...rows, study }, {})(recorded({ ...CHEST_CT, ...own }))).toBe(expected);
  });

  test('has priors itself, by exact times where both have them', () => {
    const isPrior = priorTo(recorded({ ...CHEST_CT, started: '2026-01-01T00:30:00+01:00' }), {});
    const at = (started: string) => isPrior(recorded({ ...CHEST_CT, started }));
    expect(['2025-12-31T23:00:00Z', '2025-12-31T23:45:00Z', '2025-12-31', '2026-01-01'].map(at)).toEqual([
      true,
      false,
      true,
      false,
    ]);
    const rows = archived({ body: 'CHEST' });
    expect(isPrior({ ...rows, study: { ...rows.study, started: '2025-01-01' } })).toBe(true);
  });

  test('what it says of a study of an archive counts with the rows', () => {
    const { own } = recorded({ ...CHEST_CT, procedureCode: [{ coding: [snomed('169069000')] }] });
    const current = archived({ date: '20260101', procedure: '169069000' });
    expect(priorTo(current, {})(archived({ body: 'CHEST' }))).toBe(false);
    expect(priorTo(current, {})({ ...archived({ body: 'CHEST' }), own: own! })).toBe(true);
  });
});
