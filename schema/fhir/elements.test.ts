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

test('elements without which a resource is not valid are kept', () => {
  expect(onlyElements(patient, [], ['active'])).toHaveProperty('active', true);
});

test('a part is marked, and the resource it is of stays as it was', () => {
  const { meta } = subsetted(patient);
  expect(meta).toMatchObject({ versionId: '1', tag: [{ code: 'own' }, { code: 'SUBSETTED' }] });
  expect(patient.meta!.tag).toHaveLength(1);
});
