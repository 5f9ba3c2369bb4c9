import { expect, test } from 'vitest';
import { complaints } from './fhir-judges.ts';

// Both validators must find errors to be of use.
test.each([
  ['a missing element', { resourceType: 'Endpoint', status: 'active' }],
  ['an unknown element', { resourceType: 'Endpoint', color: 'red' }],
])('both validators find %s', (_, resource) => {
  const found = complaints(resource as never);
  expect(found.some((text) => text.startsWith('fhir:'))).toBe(true);
  expect(found.some((text) => text.startsWith('medplum:'))).toBe(true);
});
