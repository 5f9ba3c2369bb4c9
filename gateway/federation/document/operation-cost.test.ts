import { buildSchema, getOperationAST, parse } from 'graphql';
import { expect, test } from 'vitest';
import { operationCost } from './operation-cost.ts';

const schema = buildSchema(`
  type Query { Patient(id: ID!): Patient  PatientList(_count: Int): [Patient]  ImagingStudyList(_count: Int): [ImagingStudy] }
  type ImagingStudy { id: ID  series(_count: Int, uid: String): [ImagingStudySeries!] }
  type ImagingStudySeries { uid: ID  instance(_count: Int): [ImagingStudySeriesInstance!] }
  type ImagingStudySeriesInstance { uid: ID }
  type Patient { id: ID  name(_count: Int): [Name]  ConditionList(_count: Int): [Condition]  ConditionConnection(_count: Int): Page }
  type Name { family: String }
  type Condition { id: ID  patient: Patient }
  type Page { count: Int  edges: [Edge] }
  type Edge { resource: Condition }
`);

test.each<[string, string, Record<string, unknown>, number]>([
  ['each field counts once', '{ Patient(id: "1") { id name { family } } }', {}, 4],
  ['a list without _count counts as 100', '{ PatientList { id } }', {}, 101],
  ['a list counts as much as _count says', '{ PatientList(_count: 7) { id } }', {}, 8],
  ['a list counts as the largest page at most', '{ PatientList(_count: 7000) { id } }', {}, 1001],
  ['_count may be a variable', 'query($n: Int) { PatientList(_count: $n) { id } }', { n: 7 }, 8],
  ['_count may be a default', 'query($n: Int = 9) { PatientList(_count: $n) { id } }', {}, 10],
  ['an invalid _count is ignored', 'query($n: Int) { PatientList(_count: $n) { id } }', { n: -7 }, 101],
  ['an inner list counts as 10', '{ PatientList(_count: 2) { ConditionList { id } } }', {}, 1 + 2 * (1 + 10)],
  [
    '_count of an inner list multiplies',
    '{ PatientList(_count: 5) { ConditionList(_count: 6) { id } } }',
    {},
    1 + 5 * (1 + 6),
  ],
  [
    'a page counts like a list',
    '{ Patient(id: "1") { ConditionConnection(_count: 3) { edges { resource { id } } } } }',
    {},
    2 + 3 * 3,
  ],
  [
    'FG-12 series and instances of a study count as 10 each without _count',
    '{ ImagingStudyList(_count: 3) { series { uid instance { uid } } } }',
    {},
    1 + 3 * (1 + 10 * (1 + 1 + 10)),
  ],
  [
    'FG-12 series and instances count as much as _count says',
    '{ ImagingStudyList(_count: 3) { series(_count: 2) { instance(_count: 300) { uid } } } }',
    {},
    1 + 3 * (1 + 2 * (1 + 300)),
  ],
  [
    'fragments unfold',
    '{ PatientList(_count: 2) { ...P } } fragment P on Patient { id ...Q } fragment Q on Patient { id }',
    {},
    1 + 2 * 2,
  ],
  [
    'inline fragments unfold',
    '{ PatientList(_count: 2) { ... on Patient { id } ... { id } } }',
    {},
    1 + 2 * 2,
  ],
  [
    'a fragment that contains itself ends',
    '{ Patient(id: "1") { ...P } } fragment P on Patient { id ...P }',
    {},
    2,
  ],
])('%s', (_title, query, variables, cost) => {
  const document = parse(query);
  const operation = getOperationAST(document)!;
  expect(operationCost({ schema, document, operation, variables })).toBe(cost);
});
