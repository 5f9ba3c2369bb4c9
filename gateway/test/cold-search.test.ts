/**
 * The calls to an EHR, one after another, that a first search for the studies of a patient waits for, with a token that this
 * gateway has never seen. Where each call takes 50 ms, their number is what the caller feels.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mrnOf, STUDIES, writeStudies } from '../bench/data/large-patient.ts';
import { authorizationServer, type AuthorizationServer, type DelayedCall } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const DELAY = 50;

let directory: string;
let ehr: AuthorizationServer;
let gateway: TestGateway;
/** Searches that the audit has. */
let audited: string[];

beforeEach(async () => {
  audited = [];
  directory = await mkdtemp(join(tmpdir(), 'cold-search-'));
  ehr = await authorizationServer();
  for (const patient of [1, 2]) {
    const id = `p${patient}`;
    await writeStudies(join(directory, 'images'), patient);
    const identifier = [{ value: mrnOf(patient), type: { coding: [{ code: 'MR' }] } }];
    ehr.patients.set(id, { resourceType: 'Patient', id, identifier, birthDate: '1970-01-01' });
    ehr.tokens.set(`token-${patient}`, {
      client_id: 'app',
      sub: id,
      patient: id,
      scope: 'patient/*.rs',
      exp: Math.floor(Date.now() / 1000) + 3600,
    });
  }
  const { fhirBaseUrl, client } = ehr;
  ehr.instead.set('/fhir/metadata', [200, statement(['Patient', 'ImagingStudy'])]);
  ehr.instead.set('/fhir/ImagingStudy', [200, { resourceType: 'Bundle', type: 'searchset', entry: [] }]);
  const images = { type: 'folder', path: join(directory, 'images'), lookup: 'studies-by-mrn' };
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl, client };
  gateway = await buildTestGateway(
    () => ({
      none: { authorization, clinical: { type: 'none' }, images },
      fhir: { authorization, clinical: { type: 'fhir', baseUrl: fhirBaseUrl }, images },
    }),
    { images: '', patients: '' },
    (_tenant, { query = '' }) => void audited.push(query),
  );
  ehr.delay = DELAY;
}, 60_000);

afterEach(async () => {
  await gateway?.close();
  await ehr?.close();
  await rm(directory, { recursive: true, force: true });
});

const statement = (types: readonly string[]) => ({
  resourceType: 'CapabilityStatement',
  fhirVersion: '4.0.1',
  rest: [
    { mode: 'server', resource: types.map((type) => ({ type, interaction: [{ code: 'search-type' }] })) },
  ],
});

/** Groups calls into rounds: a call that begins after another has ended belongs to a later round. */
function roundsOf(calls: readonly DelayedCall[]): string[][] {
  const rounds: string[][] = [];
  const numbers = new Map<DelayedCall, number>();
  for (const call of calls) {
    const before = [...numbers].filter(([{ ended }]) => ended <= call.begun).map(([, number]) => number);
    const number = Math.max(-1, ...before) + 1;
    numbers.set(call, number);
    (rounds[number] ??= []).push(call.path);
  }
  return rounds;
}

async function search(tenant: string, patient: number): Promise<string[][]> {
  ehr.delayed.length = 0;
  const answer = await gateway.app.inject({
    url: `/${tenant}/fhir/ImagingStudy?patient=p${patient}`,
    headers: { authorization: `Bearer token-${patient}` },
  });
  expect([answer.statusCode, answer.json<{ total: number }>().total]).toEqual([200, STUDIES]);
  return roundsOf(ehr.delayed);
}

/** Calls that depend on neither token nor patient: their answers are kept. */
const ONCE = [['/fhir/.well-known/smart-configuration'], ['/token']];
const [INTROSPECT, RECORD] = [['/introspect'], ['/fhir/ImagingStudy']];

describe.each([
  { record: 'without a record', tenant: 'none', metadata: [], studies: [] },
  { record: 'with a record at the EHR', tenant: 'fhir', metadata: [['/fhir/metadata']], studies: [RECORD] },
])('a search for studies, $record', ({ tenant, metadata, studies }) => {
  test('with a new token waits for at most three calls, one after another', async () => {
    const first = await search(tenant, 1);
    // The first request of the process waits for what all the others share, too.
    expect(first).toEqual([...ONCE, INTROSPECT, ['/fhir/Patient/p1'], ...metadata, ...studies]);
    const cold = await search(tenant, 2);
    expect(cold).toEqual([INTROSPECT, ['/fhir/Patient/p2'], ...studies]);
    expect(cold.length).toBeLessThanOrEqual(3);
    expect(await search(tenant, 2)).toEqual(studies);
  });
});

describe('one request for the record and the images of a patient', () => {
  const query = `query ($id: ID!) {
    Patient(id: $id) { birthDate ConditionList { id } again: ConditionList { id } ImagingStudyList { id } }
  }`;
  const condition = { resourceType: 'Condition', id: 'c1', subject: { reference: 'Patient/p1' } };
  const bundle = (...resources: object[]): [number, object] => [
    200,
    { resourceType: 'Bundle', type: 'searchset', entry: resources.map((resource) => ({ resource })) },
  ];

  beforeEach(() => {
    ehr.instead.set('/fhir/metadata', [200, statement(['Patient', 'ImagingStudy', 'Condition'])]);
    ehr.instead.set('/fhir/Condition', bundle(condition));
  });

  async function ask(token = 'token-1', id = 'p1') {
    ehr.delayed.length = 0;
    const answer = await gateway.app.inject({
      method: 'POST',
      url: '/fhir/graphql',
      headers: { authorization: `Bearer ${token}` },
      payload: { query, variables: { id } },
    });
    // The assertions check the type.
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    return { rounds: roundsOf(ehr.delayed), ...answer.json<{ data?: any; errors?: any[] }>() };
  }

  test('waits for one round of calls; of a new token for three', async () => {
    await ask();
    const { rounds, data, errors } = await ask();
    expect(errors).toBeUndefined();
    expect(data.Patient).toMatchObject({
      birthDate: '1970-01-01',
      ConditionList: [{ id: 'c1' }],
      again: [{ id: 'c1' }],
    });
    expect(data.Patient.ImagingStudyList).toHaveLength(STUDIES);
    expect(rounds).toHaveLength(1);
    expect(rounds[0]!.toSorted()).toEqual(['/fhir/Condition', '/fhir/ImagingStudy', '/fhir/Patient/p1']);
    ehr.instead.set('/fhir/Condition', bundle());
    const cold = await ask('token-2', 'p2');
    expect(cold.errors).toBeUndefined();
    expect(cold.rounds.length).toBeLessThanOrEqual(3);
  });

  test.each([
    ['that there is no such patient', 404, 'not_found'],
    ['that the patient is gone', 410, 'not_found'],
  ])('releases nothing when the EHR says %s; the audit has the searches', async (_what, status, code) => {
    await ask();
    ehr.instead.set('/fhir/Patient/p1', [status, {}]);
    audited = [];
    const { data, errors } = await ask();
    expect(data).toEqual({ Patient: null });
    expect(errors).toMatchObject([{ path: ['Patient'], extensions: { code } }]);
    expect(audited.join()).toContain('Condition?');
  });

  test('of another patient than the one of the token no list is asked for', async () => {
    await ask();
    const { rounds, data } = await ask('token-1', 'p2');
    expect(data).toEqual({ Patient: null });
    expect(rounds.flat().filter((path) => path !== '/fhir/Patient/p2')).toEqual([]);
  });

  test('a list that fails is null with its reason, as without haste', async () => {
    await ask();
    ehr.instead.set('/fhir/Condition', [500, {}]);
    const { data, errors } = await ask();
    expect(data.Patient).toMatchObject({ birthDate: '1970-01-01', ConditionList: null, again: null });
    expect(errors!.map(({ path, extensions }) => [path, extensions.code])).toEqual([
      [['Patient', 'ConditionList'], 'bad_gateway'],
      [['Patient', 'again'], 'bad_gateway'],
    ]);
  });
});
