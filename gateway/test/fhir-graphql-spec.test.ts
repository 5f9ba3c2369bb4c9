/**
 * The examples of the FHIR GraphQL specification (R4 §3.2.0, https://hl7.org/fhir/R4/graphql.html), by section, and what its
 * text states without an example; those of the directives are in `fhir-graphql-directives.test.ts`. The later text has the
 * same examples, except `Patient(_id: example)`. Ids and values are those of our data; an example that is no valid GraphQL,
 * or selects what its type does not have, is among the corrected ones, with the reason.
 */
import { describe, expect, test } from 'vitest';
import { PATIENT } from './setup/specification-record.ts';
import { atRoot, NAMES, specificationGateway } from './specification-gateway.ts';

const ask = specificationGateway();

/** Examples that are valid against the schema: each has the same answer at `$graphql` and at `/graphql`. */
describe('examples of the schema', () => {
  test.each<[section: string, at: string, query: string, data: unknown]>([
    ['Field Selection', 'Patient', '{ name { text given family } }', { name: NAMES }],
    [
      'Field Selection: polymorphic fields',
      'Observation',
      '{ valueQuantity { value unit } }',
      { valueQuantity: { value: 1.5, unit: 'mg' } },
    ],
    [
      'Field Selection: extensions on primitives',
      'Patient',
      '{ birthDate _birthDate { extension { valueDateTime } } }',
      { birthDate: '2016-05-18', _birthDate: { extension: [{ valueDateTime: '2016-05-18T10:28:45Z' }] } },
    ],
    [
      'List Navigation: FHIRPath',
      'Patient',
      '{ name(fhirpath: "family.exists()") { text given family } }',
      { name: [NAMES[0], NAMES[2]] },
    ],
    [
      'List Navigation: field filter',
      'Patient',
      '{ name(use: official) { text given family } }',
      { name: [NAMES[0]] },
    ],
    [
      'List Navigation: one extension',
      'Patient',
      '{ myext: extension(url: "http://myextension.url/details") { value : valueString } }',
      { myext: [{ value: 'some value' }] },
    ],
    [
      'List Navigation: _offset and _count',
      'List',
      '{ entry(_count: 5, _offset: 5) { deleted item { reference } } }',
      { entry: [5, 6, 7, 8, 9].map((i) => ({ deleted: null, item: { reference: `Observation/${i}` } })) },
    ],
    [
      'List Navigation: the offset and count apply to the filtered list',
      'Patient',
      '{ name(fhirpath: "given.exists()", use: usual, _offset: 0, _count: 1) { given } rest: name(fhirpath: "family.exists()", _offset: 1) { family } }',
      { name: [{ given: ['Jim'] }], rest: [{ family: 'Windsor' }] },
    ],
    [
      'List Navigation: a list in an element',
      'Observation',
      '{ component(fhirpath: "value.exists()") { code { text } } none: component(fhirpath: "value.empty()") { id } }',
      { component: [{ code: { text: 'half' } }], none: [] },
    ],
    [
      'Resource references: fragments',
      'Observation',
      `{ id subject { reference resource { ...on Patient { birthDate } ...on Group { name } } }
        code { coding { system code } } }`,
      {
        id: 'example',
        subject: { reference: 'Patient/example', resource: { birthDate: '2016-05-18' } },
        code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
      },
    ],
    [
      'Reverse References',
      'Patient',
      '{ name { given } ConditionList(_reference: patient) { id } }',
      { name: PATIENT.name.map(({ given }) => ({ given })), ConditionList: [{ id: '100' }, { id: '101' }] },
    ],
    [
      'Reverse References: connection',
      'Patient',
      `{ ConditionConnection(_reference: patient) { count offset pagesize first previous next last
          edges { mode, score, resource { ...on Condition { resourceType, id } } } } }`,
      {
        ConditionConnection: expect.objectContaining({
          count: 2,
          edges: ['100', '101'].map((id) => ({
            mode: 'match',
            score: null,
            resource: { resourceType: 'Condition', id },
          })),
        }) as unknown,
      },
    ],
    [
      'Reverse References: fhirpath',
      'Patient',
      `{ ConditionList(_reference: patient, fhirpath: "clinicalStatus.coding.code = 'relapse'") { id }
         ConditionConnection(_count: 1, fhirpath: "Condition.code.text = 'condition 101'") { count edges { resource { id } } } }`,
      // A page is searched first, and then chosen from: it may be empty.
      { ConditionList: [{ id: '101' }], ConditionConnection: { count: 2, edges: [] } },
    ],
    [
      'Conformance: @skip and @include',
      'Patient',
      '{ id @skip(if: true) active @include(if: true) }',
      { active: true },
    ],
  ])('FG-25 %s (%s)', async (_section, at, query, data) => {
    const instance = await ask(`fhir/${at}/example/$graphql`, query);
    expect(instance).toMatchObject({ statusCode: 200, data });
    expect(instance.data).toEqual(data);
    for (const path of ['fhir/$graphql', 'graphql']) {
      expect((await ask(path, atRoot(at, query))).data).toEqual({ [at]: data });
    }
  });

  test.each<[section: string, query: string, data: unknown]>([
    [
      'Searching: a page',
      `{ ConditionConnection(clinical_status: "active", patient: "example") { count offset pagesize
          edges { mode, score, resource { id } } first previous next last } }`,
      { ConditionConnection: expect.objectContaining({ count: 1 }) as unknown },
    ],
    [
      'Searching: a list by name',
      '{ PatientList(name: "pet") { name(use: official) { family, given } } }',
      { PatientList: [{ name: [{ family: 'Chalmers', given: ['Peter', 'James'] }] }] },
    ],
    [
      'Searching: fhirpath on all matches',
      `{ ConditionList(patient: "example", fhirpath: "code.text.endsWith('1')") { id }
         none: ConditionList(fhirpath: "recordedDate.exists()") { id }
         second: ConditionList(_sort: "_id", fhirpath: "code.exists()", _offset: 1, _count: 1) { id }
         page: ConditionConnection(_sort: "_id", fhirpath: "code.text.endsWith('1')") { count edges { resource { id } } } }`,
      {
        ConditionList: [{ id: '101' }],
        none: [],
        second: [{ id: '101' }],
        page: { count: 2, edges: [{ resource: { id: '101' } }] },
      },
    ],
  ])('FG-25 %s', async (_section, query, data) => {
    for (const path of ['fhir/$graphql', 'graphql']) {
      expect((await ask(path, query)).data).toEqual(data);
    }
  });
});

/** Examples that the schema cannot say: `$graphql` rewrites them, `/graphql` refuses them. */
describe('examples that only $graphql takes', () => {
  const observation = (resource: string) => `{ subject { reference, ${resource} } }`;
  const reference = 'Patient/example';

  test.each<[section: string, at: string, query: string, data: unknown]>([
    [
      'Resource references',
      'Observation',
      observation('resource {active}'),
      { subject: { reference, resource: { active: true } } },
    ],
    [
      'Resource references: type',
      'Observation',
      observation('resource(type : Patient) { birthDate }'),
      { subject: { reference, resource: { birthDate: '2016-05-18' } } },
    ],
    [
      // The specification has Practioner and speciality, which no version of FHIR has.
      'Resource references: several types (corrected names)',
      'Observation',
      observation(
        'resource(type: Patient) { birthDate } resource(type: Practitioner) { qualification { id } }',
      ),
      { subject: { reference, resource: { birthDate: '2016-05-18' } } },
    ],
    [
      'Resource references: several, of the types that each may have',
      'Observation',
      '{ subject { resource { id active } } performer { resource { id name } } encounter { resource { status } } }',
      {
        subject: { resource: { id: 'example', active: true } },
        performer: [{ resource: { id: '1', name: 'Gastroenterology' } }],
        encounter: null,
      },
    ],
    [
      'Resource references: optional',
      'List',
      '{ entry(_count: 1) { item { resource(optional: true) { id } } } }',
      { entry: [{ item: { resource: null } }] },
    ],
    [
      'Resource references: another type',
      'Observation',
      observation('resource(type: Group) { name }'),
      { subject: { reference, resource: null } },
    ],
  ])('FG-25 %s (%s)', async (_section, at, query, data) => {
    expect((await ask(`fhir/${at}/example/$graphql`, query)).data).toEqual(data);
    expect((await ask('fhir/$graphql', atRoot(at, query))).data).toEqual({ [at]: data });
    expect((await ask('graphql', atRoot(at, query))).statusCode).toBe(400);
  });

  test.each<[section: string, query: string, data: unknown]>([
    [
      'Searching: one resource',
      '{ Patient(id: example) { id, active } }',
      { Patient: { id: 'example', active: true } },
    ],
    [
      'Searching: one resource, as the later text writes it',
      '{ Patient(_id: example) { id, active } }',
      { Patient: { id: 'example', active: true } },
    ],
    [
      // In R4 clinicalStatus is a CodeableConcept, in which a selection is needed.
      'Searching: a list (corrected selection)',
      '{ ConditionList(clinical_status: relapse, patient: example) { id, clinicalStatus { coding { code } } } }',
      { ConditionList: [{ id: '101', clinicalStatus: { coding: [{ code: 'relapse' }] } }] },
    ],
    [
      'Searching: values in an array',
      '{ ConditionList(_id: [1, 100, example]) { id } }',
      { ConditionList: [{ id: '100' }] },
    ],
    [
      // A Condition has no field `active`.
      'Searching: a page (corrected selection)',
      `{ ConditionConnection (clinical_status: active, patient: example) { count offset pagesize
          edges { mode, score, resource { id } } first previous next last } }`,
      { ConditionConnection: expect.objectContaining({ count: 1 }) as unknown },
    ],
  ])('FG-25 %s', async (_section, query, data) => {
    expect((await ask('fhir/$graphql', query)).data).toEqual(data);
    expect((await ask('graphql', query)).statusCode).toBe(400);
  });

  test('FG-25 Searching: the next page by its cursor (corrected selection)', async () => {
    const page = (args: string) => `{ ConditionConnection (${args}) { next edges { resource { id } } } }`;
    const first = await ask('fhir/$graphql', page('_count: 1, patient: example'));
    const { next, edges } = first.data!['ConditionConnection'] as { next: string; edges: unknown };
    expect(edges).toEqual([{ resource: { id: '100' } }]);
    const second = await ask('fhir/$graphql', page(`_cursor : ${JSON.stringify(next)}`));
    expect(second.data).toMatchObject({ ConditionConnection: { edges: [{ resource: { id: '101' } }] } });
  });
});

test('FG-25 Resource references: without optional, a reference to nothing is an error beside the rest', async () => {
  const { data, errors } = await ask(
    'fhir/List/example/$graphql',
    '{ entry(_count: 1) { item { reference resource { id } } } }',
  );
  expect(data).toEqual({ entry: [{ item: { reference: 'Observation/0', resource: null } }] });
  expect(errors).toMatchObject([
    {
      path: ['entry', 0, 'item', 'resource'],
      extensions: { code: 'not_found', resource: { resourceType: 'OperationOutcome' } },
    },
  ]);
});
