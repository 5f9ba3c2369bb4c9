/** The gateway and its subgraphs as three processes, as `npm run start:gateway`, `start:clinical` and `start:imaging` run them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { open as openAccess, seal, sealingKey } from '../../schema/access/access.ts';
import { freePort } from './setup/free-port.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { longTest } from './setup/usual-run.ts';

const KEY = 'the first key of these three processes';
const OPERATOR_KEY = 'the-key-of-the-operator-of-these-processes';
const NEXT_KEY = 'the key that takes its place for all of them';

type Role = 'clinical' | 'imaging';
const ROLES: readonly Role[] = ['clinical', 'imaging'];
let directory: string;
let ports: Record<Role | 'gateway', number>;
let gateway: GatewayProcess;
const subgraphs: Partial<Record<Role, GatewayProcess>> = {};

const environment = (keys: string, more: Record<string, string> = {}) => ({
  BASE_URL: `http://localhost:${ports.gateway}`,
  CLINICAL_URL: `http://127.0.0.1:${ports.clinical}`,
  IMAGING_URL: `http://127.0.0.1:${ports.imaging}`,
  SEALING_KEY: keys,
  OPERATOR_KEY,
  ...more,
});
const start = async (role: Role, keys = KEY) => {
  const own = { PORT: String(ports[role]), DATA_DIR: join(directory, role) };
  subgraphs[role] = await startGateway(environment(keys, own), [role]);
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'split-'));
  ports = { clinical: await freePort(), imaging: await freePort(), gateway: await freePort() };
  await Promise.all(ROLES.map((role) => start(role)));
  gateway = await startGateway(environment(KEY, { PORT: String(ports.gateway) }));
  // The folder of images is read.
  await vi.waitFor(async () => expect((await ask(WHOLE)).errors).toBeUndefined(), 60_000);
}, 120_000);
afterAll(async () => {
  await Promise.all([gateway, ...Object.values(subgraphs)].map((one) => one?.stop()));
  await rm(directory, { recursive: true, force: true });
});

const PATIENT = 'demo-george-whitfield';
const WHOLE = `{ Patient(id: "${PATIENT}") { birthDate ConditionList { id }
  ImagingStudyList { id series { instance { uid wadoUrl } } DiagnosticReportList { id } } } }`;

interface Answer {
  data?: { Patient: Record<string, unknown> | null } | null;
  errors?: { path?: (string | number)[]; extensions: { code: string; service?: string } }[];
}

async function ask(query: string, tenant = 'open'): Promise<Answer> {
  const { body } = await request(`${gateway.url}/${tenant}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  return (await body.json()) as Answer;
}

async function get(path: string, headers: Record<string, string> = {}) {
  const { statusCode: status, headers: given, body } = await request(`${gateway.url}${path}`, { headers });
  return { status, headers: given, bytes: Buffer.from(await body.arrayBuffer()) };
}

test('FG-29 a stream has all rows, also when the same is asked again', async () => {
  const query = '{ ConditionConnection(_count: 3) { edges { resource { id } } } }';
  const streamed = async (): Promise<string> => {
    const { body } = await request(`${gateway.url}/open/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: JSON.stringify({ query }),
    });
    return body.text();
  };
  const first = await streamed();
  expect(first).toMatch(/^\{"id":"/);
  expect(await streamed()).toBe(first);
  expect(await streamed()).toBe(first);
});

test('one request gives the record and the images, and its addresses work', async () => {
  const { data, errors } = await ask(WHOLE);
  expect(errors).toBeUndefined();
  const { ImagingStudyList: studies, ConditionList: conditions } = data!.Patient as {
    ConditionList: unknown[];
    ImagingStudyList: { id: string; series: { instance: { wadoUrl: string }[] }[] }[];
  };
  expect(conditions.length).toBeGreaterThan(0);
  const [{ wadoUrl }] = studies[0]!.series[0]!.instance as [{ wadoUrl: string }];
  const retrieved = await get(new URL(wadoUrl).pathname, { accept: 'application/dicom' });
  expect(retrieved.status).toBe(200);
  expect(retrieved.bytes.toString('latin1', 128, 132)).toBe('DICM');
});

test('no name that a client gives to a field takes the place of what a step needs', async () => {
  const { data, errors } = await ask(
    `{ Patient(id: "${PATIENT}") { __step_id: birthDate constructor: birthDate ImagingStudyList { id } } }`,
  );
  expect(errors).toBeUndefined();
  const { __step_id: own, constructor: named, ImagingStudyList: studies } = data!.Patient!;
  expect([own, named]).toEqual([expect.any(String), own]);
  expect(studies).not.toEqual([]);
});

test.each([
  ['FHIR of the record', `/open/fhir/Condition?patient=${PATIENT}`, 200, /"searchset"/],
  [
    'FHIR of images',
    `/open/fhir/ImagingStudy?patient=${PATIENT}&_revinclude=DiagnosticReport:imagingStudy`,
    200,
    /"match"/,
  ],
  ['an operation over both', `/open/fhir/Patient/${PATIENT}/$everything`, 200, /ImagingStudy/],
  ['DICOMweb', '/open/dicomweb/studies?limit=1', 200, /0020000D/],
  ['what does not exist', '/open/dicomweb/studies/1.2.3/metadata', 404, /no such/i],
  ['a search that is refused', '/open/fhir/ImagingStudy?started=yesterday', 400, /OperationOutcome/],
  ['a request without a token', '/demo/fhir/Patient', 401, /OperationOutcome/],
  ['discovery', '/open/fhir/metadata', 200, /"ImagingStudy"/],
])('%s', async (_what, path, status, text) => {
  const answer = await get(path);
  expect([answer.status, answer.bytes.toString('utf8')]).toEqual([status, expect.stringMatching(text)]);
});

describe('a subgraph answers only what is sealed for it', () => {
  const access = { tenant: 'open', patients: 'all', permissions: [], expires: 4e9 } as const;
  const sealed = (key: string, audience: string, of: object = access) =>
    seal(of as never, [sealingKey(key)], audience, Date.now() / 1000);

  test.each<[what: string, header: () => Promise<string> | string | undefined]>([
    ['nothing', () => undefined],
    ['a text', () => 'a text'],
    ['with another key', () => sealed(NEXT_KEY, 'imaging')],
    ['for the other subgraph', () => sealed(KEY, 'clinical')],
    ['for another tenant', () => sealed(KEY, 'imaging', { ...access, tenant: 'demo' })],
    ['two minutes ago', () => seal(access, [sealingKey(KEY)], 'imaging', Date.now() / 1000 - 120)],
  ])('%s', async (_what, header) => {
    const value = await header();
    const headers = { ...(value !== undefined && { 'x-sealed-access': value }) };
    for (const path of ['fhir/ImagingStudy', 'dicomweb/studies']) {
      const answer = await request(`${subgraphs.imaging!.url}/open/${path}`, { headers });
      await answer.body.dump();
      expect(answer.statusCode).toBe(401);
    }
  });

  test('an Access as the gateway seals it', async () => {
    const value = await sealed(KEY, 'imaging');
    const opened = await openAccess(value, [sealingKey(KEY)], 'imaging', Date.now() / 1000);
    expect(opened.access).toEqual(access);
    const answer = await request(`${subgraphs.imaging!.url}/open/dicomweb/studies`, {
      headers: { 'x-sealed-access': value },
    });
    await answer.body.dump();
    // It has no scope.
    expect(answer.statusCode).toBe(403);
  });
});

test('while the images are killed, the record is answered with an error for the images; then all of it again', async () => {
  process.kill(subgraphs.imaging!.pid, 'SIGKILL');
  const { data, errors } = await ask(WHOLE);
  expect(data!.Patient).toMatchObject({ birthDate: expect.any(String) as string, ImagingStudyList: null });
  expect(errors).toMatchObject([
    { path: ['Patient', 'ImagingStudyList'], extensions: { code: 'unavailable', service: 'imaging' } },
  ]);
  const image = await get('/open/dicomweb/studies');
  expect([image.status, image.headers['retry-after']]).toEqual([503, '2']);
  const checked = await get('/open/self-test', { authorization: `Bearer ${OPERATOR_KEY}` });
  expect(checked.bytes.toString()).toContain('the imaging process (IMAGING_URL) does not answer');
  await start('imaging');
  await vi.waitFor(async () => expect((await ask(WHOLE)).errors).toBeUndefined(), 30_000);
}, 60_000);

longTest(
  'keys are rotated: first all open the new one, then the gateway seals with it',
  async () => {
    for (const role of ROLES) {
      await subgraphs[role]!.stop();
      await start(role, `${KEY},${NEXT_KEY}`);
    }
    await vi.waitFor(async () => expect((await ask(WHOLE)).errors).toBeUndefined(), 30_000);
    await gateway.stop();
    gateway = await startGateway(environment(`${NEXT_KEY},${KEY}`, { PORT: String(ports.gateway) }));
    expect((await ask(WHOLE)).errors).toBeUndefined();
  },
  90_000,
);

test('each process says that it is alive and ready, and has metrics', async () => {
  for (const url of [gateway.url, ...ROLES.map((role) => subgraphs[role]!.url)]) {
    for (const path of ['/health/live', '/health/ready', '/metrics']) {
      const answer = await request(`${url}${path}`);
      expect([path, answer.statusCode]).toEqual([path, 200]);
      const text = await answer.body.text();
      if (path === '/metrics') expect(text).toMatch(/^requests_in_flight /m);
    }
  }
});
