/** Which earlier studies are comparable (FG-18), from their rows alone. */
import { describe, expect, test } from 'vitest';
import type { DicomElement, DicomJson } from '../../../schema/dicom/dicom.ts';
import { BODY_REGIONS } from './body-regions.ts';
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

function rows({ date = '20250101', modality = 'CT', ...given }: Given) {
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
  return { study, series: [series] };
}

/** The study that is compared is of 2026. */
const isPrior = (current: Given, candidate: Given, args: PriorsArguments = {}) =>
  priorTo(rows({ date: '20260101', ...current }), args)(rows(candidate));

describe('FG-18 comparable studies', () => {
  test.each<[current: Given, candidate: Given, expected: boolean]>([
    [{ body: 'CHEST' }, { body: 'CHEST' }, true],
    [{ body: 'CHEST' }, { body: 'Chest ' }, true],
    [{ body: 'CHEST' }, { body: 'LUNG' }, true],
    [{ body: 'CHEST' }, { body: 'ABDOMEN' }, false],
    [{ body: 'CHEST' }, { body: 'CHESTABDPELVIS' }, true],
    [{ body: 'PELVIS' }, { body: 'CHESTABDPELVIS' }, true],
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
