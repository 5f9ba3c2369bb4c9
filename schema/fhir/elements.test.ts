import type { Patient } from 'fhir/r4.js';
import { expect, test } from 'vitest';
import { onlyElements, subsetted } from './elements.ts';

const patient = {
  resourceType: 'Patient',
  id: 'p',
  meta: { versionId: '1', tag: [{ code: 'own' }] },
  active: true,
  name: [{ family: 'A', given: ['B'] }],
  birthDate: '2024-01-01',
  _birthDate: { extension: [{ url: 'urn:x', valueCode: 'y' }] },
} as Patient;

test.each<[elements: string[], names: string[]]>([
  [[], []],
  [['active'], ['active']],
  [['birthDate'], ['birthDate', '_birthDate']],
  [['name.family'], ['name']],
  [['colour'], []],
])('R4 §3.1.1.5.9 _elements=%j keeps %j', (elements, names) => {
  const always = ['resourceType', 'id', 'meta'];
  expect(Object.keys(onlyElements(patient, elements)).toSorted()).toEqual([...always, ...names].toSorted());
});

test('keeps mandatory elements', () => {
  expect(onlyElements(patient, [], ['active'])).toHaveProperty('active', true);
});

test('marks a partial resource, and does not change the original', () => {
  const { meta } = subsetted(patient);
  expect(meta).toMatchObject({ versionId: '1', tag: [{ code: 'own' }, { code: 'SUBSETTED' }] });
  expect(patient.meta!.tag).toHaveLength(1);
});
