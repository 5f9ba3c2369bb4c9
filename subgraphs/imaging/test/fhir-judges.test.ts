import { expect, test } from 'vitest';
import { complaints } from './fhir-judges.ts';

// The judges are worth something only if both of them find what is wrong.
test.each([
  ['a missing element', { resourceType: 'Endpoint', status: 'active' }],
  ['an unknown element', { resourceType: 'Endpoint', color: 'red' }],
])('both validators complain of %s', (_, resource) => {
  const found = complaints(resource as never);
  expect(found.some((text) => text.startsWith('fhir:'))).toBe(true);
  expect(found.some((text) => text.startsWith('medplum:'))).toBe(true);
});
