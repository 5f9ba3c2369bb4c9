/** What belongs to the shape of a document, and what does not. gateway/test/executor/shapes.whole.test.ts compares answers. */
import { buildSchema, parse } from 'graphql';
import { expect, test } from 'vitest';
import { shapeOf } from './shape.ts';

const schema = buildSchema(`
  scalar date
  type Query { Patient(id: ID!): Patient ObservationList(code: [String] date: date _count: Int sort: Sort): [Patient] union: Either }
  type Patient { id: ID name: String inner(text: String): Patient }
  input Sort { by: String }
  union Either = Patient
`);
const shape = (query: string) => shapeOf(schema, parse(query));

test.each([
  ['the name of the operation', 'query A { Patient(id: "1") { id } }', '{ Patient(id: "1") { id } }'],
  ['an ID', '{ Patient(id: "1") { id } }', '{ Patient(id: "x y\\"") { id } }'],
  [
    'strings of a list',
    '{ ObservationList(code: ["a", "b"]) { id } }',
    '{ ObservationList(code: ["c", "d"]) { id } }',
  ],
  ['aliases', '{ a: Patient(id: "1") { b: id } }', '{ c: Patient(id: "1") { d: id } }'],
  ['white space and comments', '{ Patient(id: "1") { id } }', '{\n# all\nPatient(id: "1"), { id }}'],
])('%s: the same shape', (_what, one, other) => {
  expect(shape(one)).toBeDefined();
  expect(shape(other)).toBe(shape(one));
});

test.each([
  ['another field', '{ Patient(id: "1") { id } }', '{ Patient(id: "1") { name } }'],
  ['an alias', '{ Patient(id: "1") { id } }', '{ Patient(id: "1") { a: id } }'],
  [
    'names that are equal',
    '{ Patient(id: "1") { a: id b: name } }',
    '{ Patient(id: "1") { a: id a: name } }',
  ],
  [
    'strings that are equal, of fields under one name',
    '{ a: Patient(id: "1") { id } a: Patient(id: "1") { name } }',
    '{ a: Patient(id: "1") { id } a: Patient(id: "2") { name } }',
  ],
  [
    'the form of a string, of fields under one name',
    '{ a: Patient(id: "1") { id } a: Patient(id: "1") { name } }',
    '{ a: Patient(id: "1") { id } a: Patient(id: """1""") { name } }',
  ],
  ['a number in place of a string', '{ Patient(id: "1") { id } }', '{ Patient(id: 1) { id } }'],
  ['a list in place of a string', '{ Patient(id: "1") { id } }', '{ Patient(id: ["1"]) { id } }'],
  ['a page', '{ ObservationList(_count: 1) { id } }', '{ ObservationList(_count: 1000) { id } }'],
  [
    'a string of another scalar',
    '{ ObservationList(date: "2020") { id } }',
    '{ ObservationList(date: "now") { id } }',
  ],
  [
    'a string within an object',
    '{ ObservationList(sort: {by: "a"}) { id } }',
    '{ ObservationList(sort: {by: "b"}) { id } }',
  ],
  [
    'an argument',
    '{ Patient(id: "1") { inner { id } } }',
    '{ Patient(id: "1") { inner(text: "a") { id } } }',
  ],
  [
    'the type of a variable',
    'query ($a: ID!) { Patient(id: $a) { id } }',
    'query ($a: Int) { Patient(id: $a) { id } }',
  ],
  ['a variable', 'query ($a: ID!) { Patient(id: $a) { id } }', 'query ($a: ID!) { Patient(id: "a") { id } }'],
  [
    'a default',
    'query ($a: Int = 1) { ObservationList(_count: $a) { id } }',
    'query ($a: Int = 2) { ObservationList(_count: $a) { id } }',
  ],
  ['a directive', '{ Patient(id: "1") { id } }', '{ Patient(id: "1") { id @skip(if: true) } }'],
  [
    'a fragment',
    '{ Patient(id: "1") { ...F } } fragment F on Patient { id }',
    '{ Patient(id: "1") { ...F } } fragment F on Patient { name }',
  ],
  ['a type condition', '{ union { ... on Patient { id } } }', '{ union { ... { ... on Patient { id } } } }'],
])('%s: another shape', (_what, one, other) => {
  expect(shape(one)).toBeDefined();
  expect(shape(other)).not.toBe(shape(one));
});

test.each([
  ['two operations', 'query A { Patient(id: "1") { id } } query B { Patient(id: "1") { id } }'],
  ['another operation than a query', 'subscription { Patient(id: "1") { id } }'],
  ['a field that is not known', '{ Patient(id: "1") { unknown } }'],
  ['an argument that is not known', '{ Patient(unknown: "1") { id } }'],
  ['a type that is not known', '{ Patient(id: "1") { ... on Unknown { id } } }'],
  ['an introspection', '{ __type(name: "Patient") { name } }'],
  ['a definition of a type', '{ Patient(id: "1") { id } } type A { b: Int }'],
])('%s: no shape', (_what, query) => expect(shape(query)).toBeUndefined());
