import { describe, expect, test } from 'vitest';
import { accessionText, isSameAccession, readAccession, type Accession } from './accession-types.ts';
import { studyTest, type StudyLinks } from './study-match.ts';

describe('FG-9 accession numbers', () => {
  test.each<Accession>([
    { value: 'A1' },
    { value: 'A|1\\', system: 'urn:oid:1.2' },
    { value: 'A1', system: 'http://h|x', issuer: 'Hospital | A' },
    { value: 'A1', issuer: 'A' },
  ])('%j is passed on as one text', (accession) => {
    expect(readAccession(accessionText(accession))).toEqual({
      system: undefined,
      issuer: undefined,
      ...accession,
    });
  });

  test.each<[one: Accession, other: Accession, isSame: boolean]>([
    [{ value: 'A' }, { value: 'A' }, true],
    [{ value: 'A' }, { value: 'B' }, false],
    [{ value: 'A' }, { value: 'a' }, false],
    [{ value: 'A', system: 's' }, { value: 'A' }, true],
    [{ value: 'A', system: 's' }, { value: 'A', system: 's' }, true],
    [{ value: 'A', system: 's' }, { value: 'A', system: 't' }, false],
    [{ value: 'A', system: 's', issuer: 'x' }, { value: 'A', system: 's', issuer: 'y' }, true],
    [{ value: 'A', issuer: 'RIS ' }, { value: 'A', issuer: 'ris' }, true],
    [{ value: 'A', issuer: 'x' }, { value: 'A', issuer: 'y' }, false],
    [{ value: 'A', issuer: 'x' }, { value: 'A', system: 's' }, true],
  ])('%j and %j: %s', (one, other, isSame) => {
    expect([isSameAccession(one, other), isSameAccession(other, one)]).toEqual([isSame, isSame]);
  });
});

describe('FG-9 a resource and a study belong together', () => {
  const study = { id: '1.2', _patientId: 'p', _accessionNumbers: ['s|A'] };
  test.each<[links: StudyLinks, belongs: boolean | undefined]>([
    [{ _patientId: 'p', _studyUids: ['1.2'] }, true],
    [{ _patientId: 'p', _accessionNumbers: ['A'] }, true],
    [{ _patientId: 'p', _accessionNumbers: ['t|A'] }, false],
    [{ _patientId: 'p', _studyUids: ['1.3'], _accessionNumbers: ['B'] }, false],
    [{ _patientId: 'q', _studyUids: ['1.2'], _accessionNumbers: ['A'] }, false],
    [{ _patientId: null, _studyUids: ['1.2'] }, undefined],
    [{ _patientId: 'p', _studyUids: [], _accessionNumbers: null }, undefined],
  ])('%j: %s', (links, belongs) => {
    expect(studyTest(links)?.(study)).toBe(belongs);
  });
  test('not when nobody knows whose the study is', () => {
    expect(studyTest({ _patientId: 'p', _studyUids: ['1.2'] })!({ id: '1.2' })).toBe(false);
  });
});
