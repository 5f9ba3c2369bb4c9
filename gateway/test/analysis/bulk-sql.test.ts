/** SQL over a tenant with an EHR: another gateway is the EHR, whose record is fetched by its export; the images are here. */
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { accessOf } from '../../../subgraphs/clinical/test/servers.ts';
import { clinicalSubgraph } from '../../../subgraphs/clinical/app.ts';
import { Analyses } from '../../analysis/analyses.ts';
import { ownRequests } from '../../smart/token/own-requests.ts';
import { tenantsOf } from '../gateway-alone.ts';
import { freePort } from '../setup/free-port.ts';
import { smallObjects } from '../setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from '../test-gateway.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

const PASSWORD = 'a-secret-of-this-test';
const directory = mkdtempSync(join(tmpdir(), 'bulk-sql-'));
const [IMAGES, RECORD] = [join(directory, 'images'), join(directory, 'record.ndjson')];
let ehr: TestGateway;
let clinic: TestGateway;
/** File of the tenant with the EHR. */
let file: Record<string, unknown>;

const of = (patient: string) => ({ subject: { reference: `Patient/${patient}` } });
const record = [
  ...['ana', 'bob', 'eve'].map((id) => ({
    resourceType: 'Patient',
    id,
    identifier: [{ value: `MRN-${id}`, type: { coding: [{ code: 'MR' }] } }],
  })),
  ...['ana', 'bob', 'eve'].map((id) => ({
    resourceType: 'Condition',
    id: `of-${id}`,
    ...of(id),
    code: { coding: [{ system: 'http://snomed.info/sct', code: '44054006' }] },
  })),
];

async function keyPair(): Promise<{ jwk: JWK; jwkPrivate: JWK }> {
  const { publicKey, privateKey } = await generateKeyPair('ES384', { extractable: true });
  const named = async (key: typeof publicKey) => ({ ...(await exportJWK(key)), kid: 'own', alg: 'ES384' });
  return { jwk: await named(publicKey), jwkPrivate: await named(privateKey) };
}

beforeAll(async () => {
  mkdirSync(IMAGES);
  for (const id of ['ana', 'bob', 'eve']) {
    const study = { studyUid: `1.2.${id.charCodeAt(0)}`, patientId: `MRN-${id}`, modality: 'CT' };
    for (const [at, object] of smallObjects(study).entries())
      writeFileSync(join(IMAGES, `${id}-${at}.dcm`), object);
  }
  writeFileSync(RECORD, record.map((one) => JSON.stringify(one)).join('\n'));
  const { jwk, jwkPrivate } = await keyPair();
  const images = { type: 'folder', path: IMAGES, lookup: 'studies-by-mrn' };
  const authorization = {
    type: 'embedded',
    modes: ['backend-services'],
    clients: [
      { client_id: 'clinic', jwks: { keys: [jwk] } },
      ...['analyst', 'stranger'].map((id) => ({ client_id: id, client_secret: PASSWORD })),
    ],
    policy: [{ client_id: 'clinic', patients: ['ana', 'bob', 'eve'] }],
  };
  const data = { images: IMAGES, patients: directory };
  const ehrFile = { authorization, clinical: { type: 'store', path: RECORD }, images };
  ehr = await buildTestGateway(() => ({ ehr: ehrFile }), data, undefined, { port: await freePort() });
  file = {
    authorization: {
      type: 'smart-on-fhir',
      fhirBaseUrl: `${ehr.baseUrl}/ehr/fhir`,
      client: { client_id: 'clinic', jwkPrivate },
      scope: 'system/*.rs',
      modes: ['backend-services'],
      policy: [{ client_id: 'analyst', patients: ['ana', 'bob'] }],
    },
    images,
    analysis: { enabled: true, source: 'bulk' },
  };
  clinic = await buildTestGateway(() => ({ clinic: file }), data, undefined, { port: await freePort() });
});
afterAll(async () => {
  await clinic?.close();
  await ehr?.close();
  rmSync(directory, { recursive: true });
});

async function run(client: string, sql: string): Promise<{ status: number; headers: Headers; text: string }> {
  const answer = await fetch(`${ehr.baseUrl}/ehr/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client}:${PASSWORD}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'system/*.rs' }),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const { status, headers, ...response } = await fetch(`${clinic.baseUrl}/clinic/fhir/$sql-run`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sql' },
    body: sql,
  }).then(async (one) => ({ status: one.status, headers: one.headers, text: await one.text() }));
  return { status, headers, ...response };
}

const QUESTION = `SELECT p.id, s.modality FROM patient p
  JOIN condition c ON c.patient_id = p.id AND c.code = '44054006'
  JOIN imaging_study s ON s.patient_id = p.id ORDER BY p.id`;

test('SQL over the record of the EHR and the images here, of the patients of the policy', async () => {
  const began = Date.now();
  const first = await run('analyst', QUESTION);
  expect(first.status, first.text).toBe(503);
  expect(first.text).toContain('The data of the EHR are being fetched for the first time');
  expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
  const answered = async () => {
    const answer = await run('analyst', QUESTION);
    expect(answer.status, answer.text).toBe(200);
    return answer;
  };
  const { headers, text } = await vi.waitFor(answered, { timeout: 100_000, interval: 500 });
  expect(text.trim().split('\n')).toEqual(['{"id":"ana","modality":"CT"}', '{"id":"bob","modality":"CT"}']);
  const time = Date.parse(headers.get('last-modified')!);
  expect(time).toBeGreaterThan(began - 2_000);
  expect(time).toBeLessThanOrEqual(Date.now());
  expect(readdirSync(join(clinic.dataDir, 'bulk'))).toEqual([expect.stringMatching(/^clinic@/)]);
  const stranger = await run('stranger', QUESTION);
  expect(stranger.status).toBe(403);
});

test('a token of a person gets no tables, and data of tenants that are gone are removed', async () => {
  const folder = join(directory, 'own');
  const own = join(folder, 'bulk');
  mkdirSync(join(own, 'gone@x', 'record'), { recursive: true });
  const tenant = tenantsOf({ clinic: file }).all[0]!;
  const clinical = clinicalSubgraph({ dataDir: folder, baseUrl: 'http://localhost' });
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const absent = async (): Promise<never> => {
    throw new Error('there are no images');
  };
  const analyses = new Analyses({
    folder: join(folder, 'analysis'),
    clinical,
    imaging: {
      tables: {
        imagesVersion: absent,
        indexFiles: absent,
        studyIds: absent,
        async *allStudies() {},
        async *allInstances() {},
      },
    },
    fetched: {
      folder: own,
      requests: ownRequests({ dispatcher: () => undefined, now: Date.now }),
      clinical,
      log,
    },
    settingsOf: () => ({ views: [], refreshMinutes: 15, instances: false, isFetched: true }),
    log,
  });
  try {
    analyses.begin([tenant]);
    analyses.of(tenant)!.begin();
    await vi.waitFor(() => expect(readdirSync(own)).toEqual([expect.stringMatching(/^clinic@/)]));
    const analysis = analyses.of(tenant)!;
    const person = accessOf('patient/*.rs', ['ana']);
    await expect(analysis.reach(person)).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('policy of the tenant'),
    });
    await analyses.release(tenant, []);
    expect(readdirSync(own)).toEqual([]);
  } finally {
    await analyses.close();
    await clinical.close();
  }
});
