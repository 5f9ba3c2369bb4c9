import type { Bundle, Patient } from 'fhir/r4.js';
import { expect, test } from 'vitest';
import * as fhir from './fhir-json.ts';

const fhirJson = (resource: Patient | Bundle) => fhir.fhirJson(resource).toString();

const patient = (more: object): Patient => ({ resourceType: 'Patient', id: 'p1', ...more });
const searchset = (...entry: object[]) =>
  ({
    resourceType: 'Bundle',
    type: 'searchset',
    link: [{ relation: 'self', url: 'https://x/"y"' }],
    ...(entry.length > 0 && { entry }),
  }) as Bundle;

test.each<[what: string, resource: Patient | Bundle]>([
  ['a resource', patient({ gender: 'other' })],
  ['a frozen resource', Object.freeze(patient({}))],
  ['a Bundle without entries', searchset()],
  [
    'a Bundle of both',
    searchset(
      { fullUrl: 'https://x/1', resource: Object.freeze(patient({})), search: { mode: 'match' } },
      { resource: patient({ text: undefined }), search: { mode: 'include' }, link: undefined },
    ),
  ],
])('writes %s as JSON.stringify does, each time', (_what, resource) => {
  for (let time = 0; time < 2; time++) expect(fhirJson(resource)).toBe(JSON.stringify(resource));
});

test('writes a frozen list of entries like one that is not frozen', () => {
  const list = [
    { fullUrl: 'https://x/1', resource: patient({ gender: 'other' }) },
    { resource: patient({}) },
  ];
  const bundle = searchset();
  const frozen = { ...bundle, entry: Object.freeze([...list]) } as unknown as Bundle;
  for (let time = 0; time < 2; time++) expect(fhirJson(frozen)).toBe(fhirJson({ ...bundle, entry: list }));
});

test('writes a resource again that is not frozen and was changed', () => {
  const resource = patient({ gender: 'other' });
  fhirJson(searchset({ resource }));
  resource.gender = 'female';
  expect(fhirJson(searchset({ resource }))).toContain('female');
});
