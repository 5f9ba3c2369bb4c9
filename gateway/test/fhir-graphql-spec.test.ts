/**
 * The examples of the FHIR GraphQL specification (R4 §3.2.0, https://hl7.org/fhir/R4/graphql.html), by section, and what its
 * text states without an example. The later text has the same examples, except `Patient(_id: example)`. Ids and values are
 * those of our data; an example that is no valid GraphQL, or selects what its type does not have, is among the corrected
 * ones, with the reason.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PATIENT, RECORD } from './setup/specification-record.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const directory = mkdtempSync(join(tmpdir(), 'fhir-graphql-spec-'));
let gateway: TestGateway;

beforeAll(async () => {
  // As text: a decimal keeps its zeros.
  const patients = join(directory, 'record.ndjson');
  writeFileSync(patients, RECORD);
  const authorization = { type: 'mock', disableAuthzChecks: true };
  const images = { type: 'folder', path: directory, lookup: 'all-studies-on-server' };
  const clinical = { type: 'store', path: patients };
  gateway = await buildTestGateway(() => ({ t: { authorization, clinical, images } }), {
    images: directory,
    patients,
  });
});
afterAll(async () => {
  await gateway.close();
  rmSync(directory, { recursive: true });
});

interface Result {
  data?: Record<string, unknown> | null;
  errors?: { message: string; path?: unknown[]; extensions: Record<string, unknown> }[];
}

async function ask(path: string, query: string, more: object = {}) {
  const { statusCode, body } = await gateway.app.inject({
    ...{ method: 'POST', url: `/t/${path}`, payload: { query, ...more } },
  });
  return { statusCode, body, ...(JSON.parse(body) as Result) };
}

/** Writes an instance query for `/graphql`, where nothing is in scope. */
const atRoot = (at: string, query: string) => query.replace(/^\{/, `{ ${at}(id: "example") {`) + ' }';

const NAMES = PATIENT.name.map(({ given, family }) => ({ text: null, given, family: family ?? null }));

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
      {
        birthDate: '2016-05-18',
        _birthDate: { extension: [{ valueDateTime: '2016-05-18T10:28:45Z' }] },
      },
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
            ...{ mode: 'match', score: null, resource: { resourceType: 'Condition', id } },
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
        ...{ ConditionList: [{ id: '101' }], none: [], second: [{ id: '101' }] },
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

describe('FG-4 fhirpath on lists of resources', () => {
  test.each([
    ['descendants().exists()', /calls descendants\(\), which is not allowed/],
    ['subject.resolve().exists()', /calls resolve\(\)/],
    ['code(', /is not FHIRPath/],
    ['', /is not FHIRPath/],
    ['category.coding | code.coding', /^$/],
  ])('%s', async (fhirpath, message) => {
    for (const list of ['ConditionList', 'ConditionConnection']) {
      const query = `query ($f: String) { ${list}(fhirpath: $f) { ${list === 'ConditionList' ? 'id' : 'edges { score }'} } Patient(id: "example") { id } }`;
      const { data, errors } = await ask('graphql', query, { variables: { f: fhirpath } });
      expect(data!['Patient']).toEqual({ id: 'example' });
      if (message.source === '^$') expect(errors).toBeUndefined();
      else {
        expect(data![list]).toBeNull();
        expect(errors).toMatchObject([{ path: [list], extensions: { code: 'invalid_request' } }]);
        expect(errors![0]!.message).toMatch(message);
      }
    }
  });

  test('studies: by what a search shows of them, without instances', async () => {
    const list = (fhirpath: string) => `{ ImagingStudyList(fhirpath: "${fhirpath}") { id } }`;
    expect((await ask('graphql', list("modality.code = 'CT'"))).data).toEqual({ ImagingStudyList: [] });
    const { errors } = await ask('graphql', list('series.instance.exists()'));
    expect(errors![0]!.message).toMatch(/cannot read the instances/);
  });
});

describe('Data Flattening Directives', () => {
  const identifier = { system: ['urn:oid:1.2.36.146.595.217.0.1'], value: ['12345'] };

  test('FG-25 without directives', async () => {
    const query = '{ identifier { system value } active name { text given family } }';
    expect((await ask('fhir/Patient/example/$graphql', query)).data).toEqual({
      ...{ identifier: PATIENT.identifier, active: true, name: NAMES },
    });
  });

  test.each<[example: string, query: string, data: Record<string, unknown>]>([
    [
      '@flatten',
      '{ identifier @flatten { system value } active name @flatten { text given family } }',
      {
        ...identifier,
        active: true,
        given: ['Peter', 'James', 'Jim', 'Peter', 'James'],
        family: ['Chalmers', 'Windsor'],
      },
    ],
    [
      '@first',
      '{ identifier @flatten { system value } active name @flatten { text given @first family } }',
      { ...identifier, active: true, given: ['Peter', 'Jim', 'Peter'], family: ['Chalmers', 'Windsor'] },
    ],
    [
      '@singleton',
      `{ identifier @flatten { system @singleton value @singleton } active
        name @flatten @first { text given family @singleton } }`,
      {
        system: 'urn:oid:1.2.36.146.595.217.0.1',
        value: '12345',
        active: true,
        given: ['Peter', 'James'],
        family: 'Chalmers',
      },
    ],
    [
      // The specification writes these names in upper case, and forgets that a name without a family has none here.
      '@slice by $index, and @first @singleton',
      '{ name @slice(path: "$index") @flatten {given @first @singleton family} }',
      {
        'given.0': 'Peter',
        'family.0': ['Chalmers'],
        'given.1': 'Jim',
        'given.2': 'Peter',
        'family.2': ['Windsor'],
      },
    ],
    [
      '@slice by use',
      '{ identifier @flatten { system value } active name @flatten @slice(path: "use") { given family @singleton } }',
      {
        ...identifier,
        active: true,
        'given.official': ['Peter', 'James'],
        'family.official': 'Chalmers',
        'given.usual': ['Jim'],
        'given.maiden': ['Peter', 'James'],
        'family.maiden': 'Windsor',
      },
    ],
    [
      '@slice by $index',
      '{ identifier @flatten { system value } active name @flatten @slice(path: "$index") { given family @singleton } }',
      {
        ...identifier,
        active: true,
        'given.0': ['Peter', 'James'],
        'family.0': 'Chalmers',
        'given.1': ['Jim'],
        'given.2': ['Peter', 'James'],
        'family.2': 'Windsor',
      },
    ],
    [
      // "The result of the FHIRPath as a string": the examples have only paths and $index.
      '@slice by an expression',
      `{ name @flatten @slice(path: "given.where($this = 'James').exists()") { family }
         telecom @slice(path: "system.where($this = 'phone').first()") @flatten { rank } }`,
      {
        'family.true': ['Chalmers', 'Windsor'],
        'rank.phone': [1, 2],
      },
    ],
  ])('FG-26 %s', async (_example, query, data) => {
    const instance = await ask('fhir/Patient/example/$graphql', query);
    expect(instance.data).toEqual(data);
    expect(Object.keys(instance.data!)).toEqual(Object.keys(data));
    expect((await ask('fhir/$graphql', atRoot('Patient', query))).data).toEqual({ Patient: data });
    expect((await ask('graphql', atRoot('Patient', query))).statusCode).toBe(400);
  });
});
