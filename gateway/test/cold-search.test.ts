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

beforeEach(async () => {
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
