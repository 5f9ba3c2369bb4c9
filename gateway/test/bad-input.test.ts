/** What bad questions and bad records get from GraphQL: a defined answer, while the rest of the answer survives. */
import { HeaderMap } from '@apollo/server';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Access } from '../../schema/access/access.ts';
import { parseScopes } from '../../schema/access/scopes.ts';
import { AnswerBudget } from '../../schema/graphql/answer-budget.ts';
import type { Tenant } from '../../schema/tenant/tenant.ts';
import { RequestEnd } from '../../schema/process/request-end.ts';
import { clinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import { imagingSubgraph } from '../../subgraphs/imaging/app.ts';
import { federatedServer, type FederatedServer } from '../federation/apollo/supergraph.ts';
import { DEFAULT_LIMITS } from '../federation/document/limits.ts';
import { logger } from '../http/logger.ts';
import { patientDirectory } from '../joins/record-directory.ts';
import { tenantsOf } from './gateway-alone.ts';

const ROWS = 100;
const ana = { reference: 'Patient/ana' };
const condition = (id: string, more: object) => ({ resourceType: 'Condition', id, subject: ana, ...more });
const huge = 'x'.repeat(1_000_000);
const records: object[] = [
  { resourceType: 'Patient', id: 'ana', birthDate: '1980-05-02', link: [{ other: ana, type: 'seealso' }] },
  { resourceType: 'Patient', id: 'bob' },
  { resourceType: 'Practitioner', id: 'dr', name: [{ family: 'House' }] },
  ...Array.from({ length: ROWS }, (_, row) => ({
    resourceType: 'Procedure',
    id: `p${row}`,
    status: 'completed',
    subject: ana,
    asserter: { reference: 'Patient/bob' },
  })),
  // References, by the way they are written.
  condition('versioned', { asserter: { reference: 'Practitioner/dr/_history/3' } }),
  condition('other-patient', { asserter: { reference: 'Patient/bob' } }),
  condition('foreign', { asserter: { reference: 'https://other.example/fhir/Practitioner/dr' } }),
  condition('contained', {
    contained: [{ resourceType: 'Practitioner', id: 'in', name: [{ family: 'Within' }] }],
    asserter: { reference: '#in' },
  }),
  condition('not-contained', { asserter: { reference: '#nowhere' } }),
  condition('missing', { asserter: { reference: 'Practitioner/nobody' } }),
  condition('unknown-type', { asserter: { reference: 'Spaceship/1' } }),
  condition('no-reference', { asserter: { display: 'Somebody' } }),
  condition('urn', { asserter: { reference: 'urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7' } }),
  condition('climbing', { asserter: { reference: 'Practitioner/../Patient/bob' } }),
  condition('number', { asserter: { reference: 5 } }),
  condition('cycle', { evidence: [{ detail: [{ reference: 'Condition/cycle' }] }] }),
  // Resources that break the profile.
  condition('wrong-types', {
    code: 'asthma',
    onsetDateTime: 5,
    recordedDate: { a: 1 },
    note: 'text',
    category: [null, 7],
  }),
  condition('huge-string', { code: { text: huge } }),
  condition('long-list', { note: Array.from({ length: 10_000 }, (_, i) => ({ text: `note ${i}` })) }),
  { resourceType: 'Observation', id: 'nothing', subject: ana },
];

let directory: string;
let tenants: Record<'shown' | 'hidden', Tenant>;
let server: FederatedServer;
let close: () => Promise<unknown>;
const log = logger('silent');

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bad-input-'));
  const path = join(directory, 'records.ndjson');
  const images = join(directory, 'images');
  await mkdir(images);
  await writeFile(path, records.map((record) => JSON.stringify(record)).join('\n'));
  const file = (introspection: boolean) => ({
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'store', path },
    images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
    graphql: { introspection },
  });
  const [shown, hidden] = tenantsOf({ shown: file(true), hidden: file(false) }).all as [Tenant, Tenant];
  tenants = { shown, hidden };
  const clinical = clinicalSubgraph({ dataDir: directory, baseUrl: 'http://localhost', loadWait: 30_000 });
  const imaging = imagingSubgraph({
    baseUrl: 'http://localhost',
    dataDir: directory,
    now: () => Date.now() / 1000,
    log: log as never,
    directory: patientDirectory((tenant, access) => clinical.open(tenant, access)),
  });
  const sdl = (name: string) => readFileSync(new URL(`../../schema/${name}.graphql`, import.meta.url));
  server = await federatedServer({
    supergraphSdl: sdl('supergraph'),
    apiSdl: sdl('api'),
    subgraphs: { clinical, imaging },
    limits: DEFAULT_LIMITS,
    log: log as never,
    persisted: undefined as never,
  });
  close = () => Promise.all([server.stop(), clinical.close(), imaging.close()]);
  const isIndexed = async () => expect((await ask('{ ImagingStudyList { id } }')).errors).toBeUndefined();
  await vi.waitFor(isIndexed, { timeout: 30_000, interval: 50 });
}, 60_000);
afterAll(async () => {
  await close?.();
  await rm(directory, { recursive: true, force: true });
});

interface Answer {
  // The assertions check the type.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  data?: any;
  errors?: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
}

async function ask(query: string, { tenant = 'shown' as 'shown' | 'hidden', scope = 'patient/*.rs' } = {}) {
  const access: Access = {
    tenant: tenant,
    permissions: parseScopes(scope),
    expires: Date.now() / 1000 + 60,
    patients: [{ id: 'ana', identity: { id: 'ana', identifier: [{ value: 'MRN' }] } }],
  };
  const response = await server.executeHTTPGraphQLRequest({
    httpGraphQLRequest: {
      method: 'POST',
      search: '',
      body: { query },
      headers: new HeaderMap([['content-type', 'application/json']]),
    },
    context: async () => ({
      scope: {
        tenant: tenants[tenant],
        access,
        log: log as never,
        fhir: false,
        cores: new Map(),
        over: new RequestEnd(),
        budget: new AnswerBudget(DEFAULT_LIMITS.cost),
        audit: () => undefined,
      } as never,
    }),
  });
  return JSON.parse(response.body.kind === 'complete' ? response.body.string : '{}') as Answer;
}
const codes = ({ errors = [] }: Answer) => errors.map(({ extensions }) => extensions['code']);

describe('unknown names: an error that names the nearest', () => {
  const cases: [query: string, message: string, hint: string][] = [
    [
      '{ PatientList(nam: ["x"]) { id } }',
      'Unknown argument "nam" on field "Query.PatientList".',
      'Did you mean "name"?',
    ],
    [
      '{ PatientList { birthdate } }',
      'Cannot query field "birthdate" on type "Patient".',
      'Did you mean "_birthDate" or "birthDate"?',
    ],
    [
      '{ Patient(id: "ana") { ConditionList(_reference: patiens) { id } } }',
      'Value "patiens" does not exist in "ConditionReferencingPatient" enum.',
      'Did you mean the enum value "patient"?',
    ],
  ];
  test.each(cases)('%s', async (query, message, hint) => {
    const [shown, hidden] = [await ask(query), await ask(query, { tenant: 'hidden' })];
    expect(shown.errors?.map((error) => error.message)).toEqual([`${message} ${hint}`]);
    // Where introspection is off, an error tells no part of the schema.
    expect(hidden.errors?.map((error) => error.message)).toEqual([
      `${message} The schema is at /schema.graphql, and the playground of the tenant completes its names.`,
    ]);
    expect([codes(shown), shown.data]).toEqual([['GRAPHQL_VALIDATION_FAILED'], undefined]);
  });

  test.each([
    ['{ ConditionList(_sort: ["-onset_dat"]) { id } }', 'unsupported_parameter', /Did you mean onset_date\?/],
    ['{ ConditionList(_filter: "cod eq x") { id } }', 'invalid_request', /Did you mean code\?/],
    ['{ ImagingStudyList(_sort: ["startet"]) { id } }', 'unsupported_parameter', /Did you mean started\?/],
    [
      '{ PatientList(_has: ["ImagingStudy:endpoint:modality=CT"]) { id } }',
      'unsupported_parameter',
      /^Patient is not searched by studies here.*ImagingStudy\?patient\._has/,
    ],
    [
      '{ PatientList(_has: ["Observation:encounter:code=1"]) { id } }',
      'unsupported_parameter',
      /Observation refers to Patient by .*patient.*\.$/,
    ],
    [
      '{ PatientList(_has: ["Medication:patient:code=1"]) { id } }',
      'unsupported_parameter',
      /Medication has no parameter that refers to Patient\.$/,
    ],
  ])('%s', async (query, code, message) => {
    const answer = await ask(query);
    expect([codes(answer), answer.errors?.[0]?.message]).toEqual([[code], expect.stringMatching(message)]);
  });
});

describe('malformed values are refused, and other fields answered', () => {
  test.each([
    ['ConditionList(onset_date: ["2024-02-30"]) { id }', 'invalid_request'],
    ['ConditionList(onset_date: ["soon"]) { id }', 'invalid_request'],
    ['ConditionList(onset_date: ["ge"]) { id }', 'invalid_request'],
    ['ConditionConnection(_lastUpdated: ["ge2024-13"]) { count }', 'invalid_request'],
    ['ConditionList(code: []) { id }', 'invalid_request'],
    ['ConditionList(code: [","]) { id }', 'invalid_request'],
    ['ConditionList(_chain: ["patient"]) { id }', 'invalid_request'],
    ['ConditionList(_chain: ["_include=Condition:asserter"]) { id }', 'invalid_request'],
    ['ConditionList(_has: ["Observation"]) { id }', 'invalid_request'],
    ['ConditionList(_list: [""]) { id }', 'invalid_request'],
    ['ConditionList(_filter: "") { id }', 'invalid_request'],
    ['ConditionList(patient: ["bob"]) { id }', 'forbidden'],
    ['ConditionList(patient: ["ana", "bob"]) { id }', 'forbidden'],
    ['Condition(id: "../Patient/bob") { id }', 'not_found'],
    [`Condition(id: "${'x'.repeat(65)}") { id }`, 'not_found'],
    ['ObservationConnection(_cursor: "bm8") { count }', 'invalid_request'],
    ['ImagingStudyList(started: ["2024-02-30"]) { id }', 'invalid_request'],
    ['ImagingStudy(id: "no-uid") { id }', 'not_found'],
    ['ImagingStudyConnection(_cursor: "bm8") { count }', 'invalid_request'],
  ])('%s: %s', async (field, code) => {
    const answer = await ask(`{ bad: ${field} Patient(id: "ana") { id birthDate } }`);
    expect(codes(answer)).toEqual([code]);
    expect(answer.data).toEqual({ bad: null, Patient: { id: 'ana', birthDate: '1980-05-02' } });
  });
});

describe('references: each has a defined answer', () => {
  test.each<[id: string, resource: object | null, code?: string]>([
    ['versioned', { __typename: 'Practitioner', id: 'dr' }],
    ['contained', { __typename: 'Practitioner', id: 'in' }],
    ['no-reference', null],
    ['other-patient', null, 'forbidden'],
    ['foreign', null, 'not_found'],
    ['not-contained', null, 'not_found'],
    ['missing', null, 'not_found'],
    ['unknown-type', null, 'not_found'],
    ['urn', null, 'not_found'],
    ['climbing', null, 'forbidden'],
    ['number', null, 'not_found'],
  ])('%s', async (id, resource, code) => {
    const asserter = 'asserter { resource { __typename ... on Practitioner { id } ... on Patient { id } } }';
    const answer = await ask(`{ Condition(id: "${id}") { id ${asserter} } }`);
    expect(answer.data).toEqual({ Condition: { id, asserter: { resource } } });
    expect(codes(answer)).toEqual(code === undefined ? [] : [code]);
    const optional = await ask(
      `{ Condition(id: "${id}") { id ${asserter.replace('resource', 'resource(optional: true)')} } }`,
    );
    expect(optional).toEqual({ data: answer.data });
  });

  test('a cycle is followed as often as it is asked for, up to the limit of depth', async () => {
    const nested = (depth: number): string =>
      depth === 0 ? 'id' : `evidence { detail { resource { ... on Condition { ${nested(depth - 1)} } } } }`;
    const answer = await ask(`{ Condition(id: "cycle") { ${nested(3)} } }`);
    expect(JSON.stringify(answer)).toContain('{"id":"cycle"}');
    const deep = await ask(`{ Condition(id: "cycle") { ${nested(20)} } }`);
    expect(deep.errors?.[0]?.message).toMatch(/30 levels/);
  });

  test('a reference that is refused in a hundred rows is an error of each', async () => {
    const { data, errors } = await ask(
      '{ ProcedureList { id asserter { resource { __typename } } } Patient(id: "ana") { ProcedureConnection(_count: 2) { edges { resource { asserter { resource { __typename } } } } } } }',
    );
    expect(data.ProcedureList).toHaveLength(ROWS);
    const lists = errors!.filter(({ path }) => path?.[0] === 'ProcedureList');
    expect(lists.map(({ path }) => path?.[1])).toEqual(Array.from({ length: ROWS }, (_, row) => row));
    expect(lists[0]).toMatchObject({
      path: ['ProcedureList', 0, 'asserter', 'resource'],
      extensions: { code: 'forbidden' },
    });
  });
});

test('imaging: each row has its error', async () => {
  const { data, errors } = await ask(
    '{ ProcedureList(_count: 30) { subject { resource { ... on Patient { ImagingStudyList { id } } } } } }',
    { scope: 'patient/Procedure.rs patient/Patient.rs' },
  );
  expect(data.ProcedureList).toHaveLength(30);
  expect(errors).toHaveLength(30);
  for (const error of errors!)
    expect(error).toMatchObject({ extensions: { code: 'insufficient_scope', service: 'imaging' } });
});

describe('resources that break the profile: what can be read is, and the others survive', () => {
  test('elements of a wrong type are null with an error', async () => {
    const { data, errors } = await ask(
      '{ Condition(id: "wrong-types") { id code { text } onsetDateTime recordedDate note { text } category { text } subject { reference } } versioned: Condition(id: "versioned") { id } }',
    );
    expect(data.versioned).toEqual({ id: 'versioned' });
    expect(data.Condition).toMatchObject({ id: 'wrong-types', subject: ana, recordedDate: null });
    expect(errors!.every(({ extensions }) => typeof extensions['code'] === 'string')).toBe(true);
    expect(JSON.stringify(errors)).not.toContain('asthma');
  });

  test('a missing required element is null', async () => {
    expect(await ask('{ Observation(id: "nothing") { id status code { text } } }')).toEqual({
      data: { Observation: { id: 'nothing', status: null, code: null } },
    });
  });

  test('a string of a million characters, and a list of 10,000', async () => {
    const { data } = await ask(
      '{ huge: Condition(id: "huge-string") { code { text } } long: Condition(id: "long-list") { note(_offset: 9999) { text } } }',
    );
    expect(data.huge.code.text).toHaveLength(1_000_000);
    expect(data.long.note).toEqual([{ text: 'note 9999' }]);
    const whole = await ask('{ long: Condition(id: "long-list") { note { text } } }');
    expect(whole.data.long.note).toHaveLength(10_000);
  });
});
