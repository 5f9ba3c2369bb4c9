import { expect, test } from 'vitest';
import { withPatient } from './examples.ts';

const QUERY = 'query ($id: ID!) { Patient(id: $id) { id } }';

test.each<[string, string, string | undefined]>([
  [QUERY, '', '{"id":"p1"}'],
  [QUERY, '{ "id": "", "n": 5 }', '{"id":"p1","n":5}'],
  [QUERY, '{ "id": "p2" }', undefined],
  [QUERY, '{ "id": ', undefined],
  ['{ PatientList { id } }', '', undefined],
  ['query ($ids: [ID!]) { PatientList(_id: $ids) { id } }', '', undefined],
])('%j with %j', (query, variables, expected) => {
  const filled = withPatient(query, variables, 'p1');
  expect(filled && JSON.stringify(JSON.parse(filled))).toBe(expected);
});
