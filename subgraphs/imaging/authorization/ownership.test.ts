import { describe, expect, it } from 'vitest';
import type { PatientGrant, PatientIdentity } from '../../../schema/access/access.ts';
import { Tag, type DicomJson } from '../../../schema/dicom/dicom.ts';
import { evaluateHere } from '../sources/mrn-paths.ts';
import { belongsTo, contradicts, coveredBy, reachOf } from './ownership.ts';
import { medicalRecordNumbers } from '../sources/mrn-paths.ts';

const DEFAULT = ["identifier.where(type.coding.code='MR').value", 'identifier.value.first()'];

function mr(...values: string[]): PatientIdentity['identifier'] {
  return values.map((value) => ({ value, type: { coding: [{ code: 'MR' }] } }));
}

function row(patientId?: string, more: DicomJson = {}): DicomJson {
  return {
    [Tag.StudyInstanceUID]: { vr: 'UI', Value: ['1.2'] },
    ...(patientId !== undefined && { [Tag.PatientID]: { vr: 'LO', Value: [patientId] } }),
    ...more,
  };
}

describe('DW-19 medical record numbers', () => {
  it.each<[string, PatientIdentity['identifier'], string[], string[]]>([
    ['the identifier of type MR', [{ value: 'first' }, ...mr('a')], DEFAULT, ['a']],
    ['all identifiers of type MR', mr('a', 'b', 'a'), DEFAULT, ['a', 'b']],
    [
      'the first identifier without one of type MR',
      [{ value: 'first' }, { value: 'second' }],
      DEFAULT,
      ['first'],
    ],
    ['none without identifiers', [], DEFAULT, []],
    ['a value without its padding', mr(' a '), DEFAULT, ['a']],
    [
      'those of the next expression when the first gives an empty value',
      [...mr(' '), { value: 'x' }],
      ["identifier.where(type.coding.code='MR').value", "identifier.where(value='x').value"],
      ['x'],
    ],
    [
      'those of a system',
      [
        { system: 's', value: '1' },
        { system: 't', value: '2' },
      ],
      ["identifier.where(system='t').value"],
      ['2'],
    ],
    ['no value that matches others', mr('a*', 'b?', 'c,d', 'e\\f', 'g'), DEFAULT, ['g']],
    ['no other number in place of a wildcard', [...mr('*'), { value: 'other' }], DEFAULT, []],
  ])('%s', async (_name, identifier, expressions, numbers) => {
    const found = await medicalRecordNumbers({ id: 'p', identifier }, expressions, evaluateHere());
    expect(found).toEqual(numbers);
  });

  it('are those of merged records too, without the withheld ones', async () => {
    const of = (identity: Omit<PatientIdentity, 'id'>) =>
      medicalRecordNumbers({ id: 'p', ...identity }, DEFAULT, evaluateHere());
    const passport = { value: 'passport' };
    expect(await of({ identifier: mr('a'), merged: [mr('b'), [passport]] })).toEqual(['a', 'b', 'passport']);
    expect(await of({ identifier: mr('a', 'b'), merged: [mr('c')], withheld: ['b', 'c'] })).toEqual(['a']);
    // The passport does not take the place of a number that is withheld.
    expect(await of({ identifier: [passport, ...mr('a')], withheld: ['a'] })).toEqual([]);
  });

  it('compiles an expression once for each source', async () => {
    const compiled = new Map<string, (resource: object) => readonly unknown[]>();
    const of = (value: string, evaluate = evaluateHere(compiled)) =>
      medicalRecordNumbers({ id: value, identifier: mr(value) }, DEFAULT, evaluate);
    expect(await of('a')).toEqual(['a']);
    const [first] = compiled.values();
    expect(await of('b')).toEqual(['b']);
    expect([...compiled.values()]).toEqual([first]);
    compiled.set(DEFAULT[0]!, () => ['kept']);
    expect(await of('c')).toEqual(['kept']);
    expect(await of('d', evaluateHere())).toEqual(['d']);
  });

  it('names the setting whose expression is not FHIRPath', async () => {
    const found = medicalRecordNumbers({ id: 'p', identifier: [] }, ['identifier.where('], evaluateHere());
    await expect(found).rejects.toThrow(/images\.mrn/);
  });
});

describe('DW-19 owner of a study by accession number, with', () => {
  const config = { lookup: 'studies-by-accession', mrn: DEFAULT, matchBirthDate: false } as const;
  const accession = (...Value: (string | null)[]): DicomJson => ({
    [Tag.AccessionNumber]: { vr: 'SH', Value },
  });
  const study = (number?: string, more: DicomJson = {}): DicomJson =>
    row('any', { ...(number !== undefined && accession(number)), ...more });
  const issuer = (value: string): DicomJson => ({ [Tag.IssuerOfPatientID]: { vr: 'LO', Value: [value] } });

  it.each<[string, DicomJson, string[], object, boolean]>([
    ['the same number', study('A1'), ['A1'], {}, true],
    ['one of several numbers', study('A2'), ['A1', 'A2'], {}, true],
    ['padding', study(' A1 '), ['A1 '], {}, true],
    ['another case', study('a1'), ['A1'], {}, false],
    ['a part', study('A'), ['A1'], {}, false],
    ['no numbers', study('A1'), [], {}, false],
    ['no number in the images, an empty one in the record', study(), ['', ' '], {}, false],
    ['a wildcard', study('A*'), ['A*'], {}, false],
    ['question marks', study('A?'), ['A?'], {}, false],
    ['a list', study('A1,A2'), ['A1,A2'], {}, false],
    ['a backslash', study('A1\\A2'), ['A1\\A2'], {}, false],
    ['an empty one before it', row('any', accession(null, 'A1')), ['A1'], {}, false],
    ['an empty one after it', row('any', accession('A1', null)), ['A1'], {}, false],
    ['an issuer that agrees', study('A1', issuer('H')), ['A1'], { issuer: 'H' }, true],
    ['an issuer that differs', study('A1', issuer('h')), ['A1'], { issuer: 'H' }, false],
    ['no issuer in the row', study('A1'), ['A1'], { issuer: 'H' }, false],
  ])('%s', async (_name, row, numbers, options, expected) => {
    const used = { ...config, ...options };
    const reach = reachOf({ id: 'p' }, used, numbers);
    expect(belongsTo(row, reach, used)).toBe(expected);
  });

  it('refuses a patient without an identity when the birth date has to agree', () => {
    const used = { ...config, matchBirthDate: true };
    expect(() => reachOf({ id: 'p' }, used, ['A1'])).toThrow(/clinical/);
  });
});

describe('DW-21 owner of a study, with', () => {
  const config = { lookup: 'studies-by-mrn', mrn: DEFAULT, matchBirthDate: false } as const;
  const grant = (more: Partial<PatientGrant> = {}, birthDate?: string): PatientGrant => ({
    id: 'p',
    identity: { id: 'p', identifier: mr('MRN'), ...(birthDate && { birthDate }) },
    ...more,
  });
  const born = (date: string): DicomJson => ({ [Tag.PatientBirthDate]: { vr: 'DA', Value: [date] } });
  const by = (issuer: string): DicomJson => ({ [Tag.IssuerOfPatientID]: { vr: 'LO', Value: [issuer] } });

  it.each<[string, DicomJson, PatientGrant, object, boolean]>([
    ['the same PatientID', row('MRN'), grant(), {}, true],
    ['padding', row('MRN '), grant(), {}, true],
    ['another case', row('mrn'), grant(), {}, false],
    ['a part', row('MR'), grant(), {}, false],
    [
      'several PatientIDs, one of them the number',
      { ...row(), [Tag.PatientID]: { vr: 'LO', Value: ['MRN', 'other'] } },
      grant(),
      {},
      false,
    ],
    ['no PatientID', row(), grant(), {}, false],
    ['an empty PatientID', row(''), grant(), {}, false],
    ['the configured issuer', row('MRN', by('A')), grant(), { issuer: 'A' }, true],
    ['another issuer', row('MRN', by('B')), grant(), { issuer: 'A' }, false],
    ['no issuer when one is configured', row('MRN'), grant(), { issuer: 'A' }, false],
    ['any issuer when none is configured', row('MRN', by('B')), grant(), {}, true],
    [
      'a birth date that agrees',
      row('MRN', born('19800102')),
      grant({}, '1980-01-02'),
      { matchBirthDate: true },
      true,
    ],
    [
      'a birth date that differs',
      row('MRN', born('19800103')),
      grant({}, '1980-01-02'),
      { matchBirthDate: true },
      false,
    ],
    ['no birth date in the row', row('MRN'), grant({}, '1980-01-02'), { matchBirthDate: true }, true],
    ['a grant limited to this study', row('MRN'), grant({ studies: ['1.2'] }), {}, true],
    ['a grant limited to another study', row('MRN'), grant({ studies: ['1.3'] }), {}, false],
    ['a grant limited to no study', row('MRN'), grant({ studies: [] }), {}, false],
    ['all studies of the server', row('other'), grant(), { lookup: 'all-studies-on-server' }, true],
    [
      'all studies of the server and a grant limited to another',
      row('other'),
      grant({ studies: ['1.3'] }),
      { lookup: 'all-studies-on-server' },
      false,
    ],
  ])('%s', async (_name, study, patient, options, expected) => {
    const used = { ...config, ...options };
    const numbers = await medicalRecordNumbers(patient.identity!, used.mrn, evaluateHere());
    expect(belongsTo(study, reachOf(patient, used, numbers), used)).toBe(expected);
  });

  it('IA-9 refuses a patient whom the EHR did not identify', () => {
    expect(() => reachOf({ id: 'p' }, config, [])).toThrow(/clinical/);
  });

  it.each([
    ['19800102', '1980-01-02', false],
    ['19800102', '1980-01', false],
    ['19800102', '1980', false],
    ['19800102', '1981', true],
    ['19800202', '1980-01', true],
    ['', '1980', false],
    ['19800102', undefined, false],
    ['1980', '1981-01-01', false],
  ])('birth dates %s and %s contradict: %s', (dicom, fhir, expected) =>
    expect(contradicts(dicom, fhir)).toBe(expected),
  );
});

it.each<[string, [string, string][][] | undefined, boolean]>([
  ['no constraint', undefined, true],
  ["the study's modality", [[['modality', 'http://dicom.nema.org/resources/ontology/DCM|CT']]], true],
  ["several modalities, one of them the study's", [[['modality', 'MR,CT']]], true],
  ['another modality', [[['modality', 'MR']]], false],
  ["another modality, or the study's", [[['modality', 'MR']], [['modality', 'CT']]], true],
  ["the study's UID", [[['identifier', 'urn:dicom:uid|urn:oid:1.2']]], true],
  [
    "the study's modality and another UID",
    [
      [
        ['modality', 'CT'],
        ['identifier', 'urn:oid:9'],
      ],
    ],
    false,
  ],
  ['a constraint that cannot be checked', [[['status', 'available']]], false],
])('SM-5 a granular scope with %s', (_name, constraints, expected) => {
  const study = row('MRN', { [Tag.ModalitiesInStudy]: { vr: 'CS', Value: ['CT', 'SR'] } });
  expect(coveredBy(study, constraints ? { constraints } : {})).toBe(expected);
});
