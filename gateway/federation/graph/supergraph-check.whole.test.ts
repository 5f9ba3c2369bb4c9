import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { smallSupergraph, supergraphSdl, withoutField } from '../../test/small-supergraph.ts';
import { standInClinical, standInImaging } from '../../test/stand-in-subgraphs.ts';
import { supergraphCheck } from './supergraph-check.ts';

const apiSdl = readFileSync(new URL('../../../schema/api.graphql', import.meta.url));
const check = supergraphCheck(apiSdl, { clinical: standInClinical(), imaging: standInImaging() });
afterAll(() => check.close());
const small = smallSupergraph();

test('FG-35 the supergraph of this version has the API of this version, to the last description', async () => {
  const checked = await check.run(supergraphSdl);
  expect('apiSdl' in checked && checked.apiSdl === apiSdl.toString()).toBe(true);
}, 120_000);

test('FG-35 a supergraph may have less', async () => {
  const checked = await check.run(withoutField(small, 'Patient.birthDate'));
  expect(checked).toMatchObject({ apiSdl: expect.stringContaining('"""The id of the resource"""') });
  expect(checked).toMatchObject({ apiSdl: expect.not.stringContaining('birthDate') });
}, 60_000);

/** A change of the small supergraph. */
const replaced = (from: string, to: string) => {
  expect(small).toContain(from);
  return small.replace(from, to);
};
const BIRTH_DATE = 'birthDate: date @join__field(graph: CLINICAL)';

test.each([
  ['an empty file', () => '', /^Syntax Error: Unexpected <EOF>/],
  ['half a file', () => small.slice(0, small.length / 2), /^Syntax Error: /],
  ['a schema that is no supergraph', () => 'type Query { a: Int }', /must be a core schema/],
  [
    'a field that no subgraph has',
    () => replaced(BIRTH_DATE, `${BIRTH_DATE} shoeSize: Int @join__field(graph: CLINICAL)`),
    'Not in the subgraph clinical: Patient.shoeSize: Int.',
  ],
  [
    'a field of the other subgraph',
    () => replaced(BIRTH_DATE, 'birthDate: date @join__field(graph: IMAGING)'),
    'Not in the subgraph imaging: Patient.birthDate: date.',
  ],
  [
    'another type',
    () => replaced(BIRTH_DATE, 'birthDate: String @join__field(graph: CLINICAL)'),
    'Not in the subgraph clinical: Patient.birthDate: String.',
  ],
  [
    'without a required argument',
    () => replaced('Patient(id: ID!): Patient', 'Patient: Patient'),
    'Not in the subgraph clinical: Query.Patient: Patient.',
  ],
  [
    'a field that the API hides',
    () => {
      const [hidden = ''] = /_patientId: .*@inaccessible/.exec(small) ?? [];
      return replaced(hidden, hidden.replace('@inaccessible', ''));
    },
    /^Not in the API of this version: Encounter\._patientId: ID/,
  ],
  ['without the key of an entity', () => withoutField(small, 'Patient.id'), /@key\(fields: "id"\)|Patient/],
  ['another subgraph', () => small.replaceAll('"imaging"', '"other"'), 'There is no subgraph other.'],
])(
  'FG-35 refused: %s',
  async (_title, sdl, problem) => {
    const checked = await check.run(sdl());
    expect(checked).toMatchObject({
      problem: typeof problem === 'string' ? problem : expect.stringMatching(problem),
    });
  },
  60_000,
);
