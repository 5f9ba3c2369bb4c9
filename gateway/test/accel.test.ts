/**
 * ACCEL=nginx: real nginx, with the configuration of k8s/components/accel, fetches images from a real Orthanc itself. A client
 * gets the same answers as from the gateway alone.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXPLICIT_LITTLE_ENDIAN } from '../demo/dicom-file.ts';
import type { AuditEvent } from '../../schema/access/audit.ts';
import { balpAuditEvent } from '../audit/audit-event.ts';
import { handoverProxy } from '../outbound/handover-proxy.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { asked } from './setup/asked-twice.ts';
import { freePort } from './setup/free-port.ts';
import { imageObject, SMALL } from './setup/image-object.ts';
import { startAccelNginx } from './setup/nginx.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { smallObjects } from './setup/small-objects.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const KEY = 'the key of nginx in this test, 32 characters'.replace(/\W/g, '-');
const OWN = '1.7.1';
const FRAMES = '1.7.3';
const JPEG = '1.7.4';
const OTHER = '1.7.2';

let ehr: AuthorizationServer;
let orthanc: Orthanc;
let gateway: TestGateway;
let directory: string;
let nginx: Awaited<ReturnType<typeof startAccelNginx>>;
let events: AuditEvent[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'accel-'));
  const files = [
    ...smallObjects({ studyUid: OWN, patientId: 'A', instances: 3 }),
    ...smallObjects({ studyUid: OTHER, patientId: 'B' }),
    imageObject(
      FRAMES,
      EXPLICIT_LITTLE_ENDIAN,
      { ...SMALL, numberOfFrames: 3 },
      Buffer.from('0123456789abcdef'.repeat(3)),
    ),
    imageObject(JPEG, '1.2.840.10008.1.2.4.90', SMALL, [Buffer.alloc(0), Buffer.from('a frame')]),
  ];
  // A path that no other archive has, so that the configuration is not used by chance.
  const configuration = { DicomWeb: { Enable: true, Root: '/pacs/dicom-web/' } };
  [ehr, orthanc] = await Promise.all([authorizationServer(), startOrthanc({ files, configuration })]);
  const endpoint = `${orthanc.url}/pacs/dicom-web`;
  const { username, password } = orthanc;
  const images = {
    type: 'dicom-web',
    endpoint,
    lookup: 'studies-by-mrn',
    authentication: { type: 'http-basic', username, password },
  };
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const tenant = (more: object = {}, rules: object = {}) => ({
    authorization: { ...authorization, ...rules },
    clinical: { type: 'none' },
    images: { ...images, ...more },
  });
  const port = await freePort();
  gateway = await buildTestGateway(
    () => ({
      smart: tenant(),
      'not-listed': tenant({ endpoint: endpoint.replace('127.0.0.1', 'localhost') }),
      withholding: tenant({}, { withhold: [{ modality: ['US'] }] }),
      several: {
        ...tenant(),
        images: [images, { ...images, endpoint: endpoint.replace('127.0.0.1', 'localhost') }],
      },
    }),
    { images: '', patients: '' },
    (_tenant, event) => events.push(event),
    { port, proxy: handoverProxy(KEY, {}) },
  );
  nginx = await startAccelNginx(directory, { key: KEY, gateway: gateway.baseUrl, archive: endpoint });
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const identifier = ['A', 'BAD'].map((value) => ({ value, type: { coding: [{ code: 'MR' }] } }));
  ehr.patients.set('a', { resourceType: 'Patient', id: 'a', identifier });
  ehr.tokens.set('a', { client_id: 'app', exp, patient: 'a', scope: 'patient/*.rs' });
  ehr.tokens.set('no-images', { client_id: 'app', exp, patient: 'a', scope: 'patient/Patient.rs' });
  ehr.tokens.set('expired', { client_id: 'app', exp: 1, patient: 'a', scope: 'patient/*.rs' });
}, 60_000);
afterAll(async () => {
  await nginx?.end();
  await gateway?.close();
  await orthanc?.stop();
  await ehr?.close();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  events = [];
});

const OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*';
const STORED_FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*';
const study = (uid: string) => `/dicomweb/studies/${uid}`;
const series = (uid: string) => `${study(uid)}/series/${uid}.1`;
const instance = (uid: string, number = 1) => `${series(uid)}/instances/${uid}.1.${number}`;

/** Asks nginx and the gateway itself the same. */
async function both(
  path: string,
  more: Record<string, string> = {},
  { tenant = 'smart', token = 'a', method = 'GET' as 'GET' | 'HEAD' } = {},
) {
  const headers = { authorization: `Bearer ${token}`, ...more };
  const ask = (origin: string) => asked(origin, `/${tenant}${path}`, headers, method);
  const byGateway = await ask(gateway.baseUrl);
  events = [];
  return { byNginx: await ask(nginx.url), byGateway };
}

const isHandedOver = () => events.map((event) => event.isHandedOver ?? false);

const GIVEN: [what: string, path: string, accept: string, parts: number][] = [
  ['a study', study(OWN), OBJECTS, 3],
  ['a study to any client', study(OWN), '*/*', 3],
  ['a study in Explicit VR Little Endian', study(OWN), 'multipart/related; type="application/dicom"', 3],
  ['a study, by the query', `${study(OWN)}?accept=${encodeURIComponent(OBJECTS)}`, 'text/html', 3],
  ['a series', series(OWN), OBJECTS, 3],
  ['an instance', instance(OWN, 2), OBJECTS, 1],
  ['a frame', `${instance(OWN)}/frames/1`, STORED_FRAMES, 1],
  ['some frames', `${instance(FRAMES)}/frames/3,1`, STORED_FRAMES, 2],
  ['a frame to any client', `${instance(FRAMES)}/frames/2`, '*/*', 1],
  ['a compressed frame', `${instance(JPEG)}/frames/1`, STORED_FRAMES, 1],
];

test.each(GIVEN)('%s: nginx fetches it, and the answer is the same', async (_what, path, accept, parts) => {
  const { byNginx, byGateway } = await both(path, { accept });
  expect(byGateway.status).toBe(200);
  expect(byGateway.parts).toHaveLength(parts);
  expect([byNginx.status, byNginx.headers]).toEqual([byGateway.status, byGateway.headers]);
  const withoutSyntax = ({ parts }: typeof byNginx) =>
    (parts as Exclude<typeof parts, string>).map(({ media, digest }) => [media, digest]);
  expect(withoutSyntax(byNginx)).toEqual(withoutSyntax(byGateway));
  // Orthanc does not repeat the transfer syntax that is in each object.
  if (path.includes('/frames/')) expect(byNginx.parts).toEqual(byGateway.parts);
  expect(isHandedOver()).toEqual([true]);
  expect(byNginx.raw['x-request-id']).toBe(events[0]!.request);
});

const BY_GATEWAY: [what: string, path: string, headers: Record<string, string>, status: number][] = [
  ['one object without multipart', instance(OWN), { accept: 'application/dicom; transfer-syntax=*' }, 200],
  ['a zip', study(OWN), { accept: 'application/zip' }, 200],
  ['frames that are decoded', `${instance(FRAMES)}/frames/1`, { accept: 'application/octet-stream' }, 200],
  [
    'frames in another compression',
    `${instance(FRAMES)}/frames/1`,
    { accept: 'multipart/related; type="image/jls"' },
    200,
  ],
  ['metadata', `${study(OWN)}/metadata`, { accept: 'application/dicom+json' }, 200],
  ['a picture', `${instance(OWN)}/rendered`, { accept: 'image/png' }, 200],
  ['bulk data', `${instance(OWN)}/bulkdata/7FE00010`, { accept: '*/*' }, 200],
  ['a search', '/dicomweb/studies', { accept: 'application/dicom+json' }, 200],
  ['a range', study(OWN), { accept: OBJECTS, range: 'bytes=0-9' }, 200],
  [
    'a range of a frame',
    `${instance(FRAMES)}/frames/1`,
    { accept: 'application/octet-stream', range: 'bytes=0-3' },
    206,
  ],
  ['a conditional request', study(OWN), { accept: OBJECTS, 'if-none-match': '"x"' }, 200],
  ['a conditional request for anything', study(OWN), { accept: OBJECTS, 'if-none-match': '*' }, 304],
  ['no acceptable type', study(OWN), { accept: 'text/html' }, 406],
  ['a study that does not exist', study('1.7.9'), { accept: OBJECTS }, 404],
  ['a study of another patient', study(OTHER), { accept: OBJECTS }, 404],
  ['a frame of another patient', `${instance(OTHER)}/frames/1`, { accept: STORED_FRAMES }, 404],
  ['a UID that is none', '/dicomweb/studies/%2e%2e%2f', { accept: OBJECTS }, 400],
  ['a frame list that is none', `${instance(OWN)}/frames/1%0d%0aX:y`, { accept: STORED_FRAMES }, 400],
];

test.each(BY_GATEWAY)('%s: the gateway answers, through nginx too', async (_what, path, headers, status) => {
  const { byNginx, byGateway } = await both(path, headers);
  expect(byGateway.status).toBe(status);
  expect([byNginx.status, byNginx.headers]).toEqual([status, byGateway.headers]);
  expect(byNginx.parts.length).toBe(byGateway.parts.length);
  if (status >= 400) expect(byNginx.parts).toEqual(byGateway.parts);
  expect(isHandedOver()).not.toContain(true);
});

const DECLINED: [what: string, path: string, accept: string, status: number][] = [
  ['a series that does not exist', `${study(OWN)}/series/1.7.9`, OBJECTS, 404],
  ['an instance of another study', `${series(OWN)}/instances/${OTHER}.1.1`, OBJECTS, 404],
  ['a frame that does not exist', `${instance(FRAMES)}/frames/9`, STORED_FRAMES, 404],
  [
    'a transfer syntax that Orthanc cannot give',
    study(JPEG),
    OBJECTS.replace('*', '1.2.840.10008.1.2.4.81'),
    406,
  ],
];

test.each(DECLINED)(
  '%s: the archive declines, and the gateway says why',
  async (_what, path, accept, status) => {
    const { byNginx, byGateway } = await both(path, { accept });
    expect(byGateway.status).toBe(status);
    expect([byNginx.status, byNginx.parts, byNginx.headers]).toEqual([
      status,
      byGateway.parts,
      byGateway.headers,
    ]);
    // Two records of one request: it was handed over, and then answered here.
    expect(isHandedOver()).toEqual([true, false]);
    expect(new Set(events.map(({ request }) => request))).toEqual(new Set([byNginx.raw['x-request-id']]));
  },
);

test.each([
  ['without a valid token', { token: 'expired' }, 401],
  ['without the scope', { token: 'no-images' }, 403],
  ['by HEAD', { method: 'HEAD' as const }, 200],
  ['of a tenant with several sources', { tenant: 'several' }, 200],
  ['of a tenant that withholds studies', { tenant: 'withholding' }, 200],
])('a study %s is answered by the gateway', async (_what, options, status) => {
  const { byNginx, byGateway } = await both(study(OWN), { accept: OBJECTS }, options);
  expect([byNginx.status, byNginx.parts]).toEqual([status, byGateway.parts]);
  expect(byNginx.headers).toEqual(byGateway.headers);
  expect(isHandedOver()).toEqual([false]);
});

test('an archive that nginx does not know: the gateway fetches the images', async () => {
  const { byNginx, byGateway } = await both(study(OWN), { accept: OBJECTS }, { tenant: 'not-listed' });
  expect(byNginx).toMatchObject({ status: 200, headers: byGateway.headers, parts: byGateway.parts });
  expect(isHandedOver()).toEqual([true, false]);
});

test('the record of a retrieval by nginx says what is not known', async () => {
  await both(study(OWN), { accept: OBJECTS });
  expect(events).toMatchObject([
    {
      action: 'retrieve',
      study: OWN,
      patient: 'a',
      client: 'app',
      isHandedOver: true,
      outcome: { kind: 'allowed' },
    },
  ]);
  const { outcome, entity = [] } = balpAuditEvent(events[0]!, 'http://localhost/smart');
  const detail = [{ type: 'transfer', valueString: 'access handed to the proxy; what it sent is not known' }];
  expect([outcome, entity.find(({ detail }) => detail)]).toMatchObject(['0', { detail }]);
});

describe('nobody but nginx gets what is for nginx', () => {
  const headers = { authorization: 'Bearer a', accept: OBJECTS };
  const secrets = () => [
    orthanc.password,
    orthanc.authorization,
    orthanc.url.slice('http://'.length),
    'x-accel',
  ];

  test.each([undefined, '', 'wrong', `${KEY}x`])('at the gateway with the key %j', async (key) => {
    const own: Record<string, string> = key === undefined ? {} : { 'x-accel-key': key };
    const { status, raw, parts } = await asked(gateway.baseUrl, `/smart${study(OWN)}`, {
      ...headers,
      ...own,
    });
    expect([status, parts.length]).toEqual([200, 3]);
    for (const secret of secrets()) expect(JSON.stringify(raw)).not.toContain(secret);
  });

  test('a client of nginx, which cannot use a key of its own', async () => {
    for (const path of [study(OWN), `${study(OWN)}/series/1.7.9`, `${instance(OWN)}/frames/1`]) {
      const { raw, parts } = await asked(nginx.url, `/smart${path}`, {
        ...headers,
        accept: '*/*',
        'x-accel-key': KEY,
      });
      for (const secret of secrets()) expect(JSON.stringify([raw, parts])).not.toContain(secret);
    }
    const text = await (await fetch(`${nginx.url}/smart${instance(OWN)}/frames/1`, { headers })).text();
    for (const secret of secrets()) expect(text).not.toContain(secret);
  });

  test.each([
    '/_accel/',
    '//_accel/http/HOST/pacs/dicom-web/studies/1.7.2',
    '/_accel/http/HOST/pacs/dicom-web/studies/1.7.2',
    '/%5faccel/http/HOST/pacs/dicom-web/studies/1.7.2',
    '/smart/../_accel/http/HOST/pacs/dicom-web/studies/1.7.2',
    '/smart/dicomweb/studies/..%2f..%2f..%2f_accel/http/HOST/pacs/dicom-web/studies/1.7.2',
    '/_accel/http/127.0.0.1:1/',
  ])('at %s', async (path) => {
    const url = path.replace('HOST', new URL(orthanc.url).host);
    const planted = { 'x-accel-redirect': '/_accel/', 'x-accel-authorization': orthanc.authorization };
    for (const more of [undefined, planted]) {
      const { status, parts } = await asked(nginx.url, url, { ...headers, ...more });
      expect([400, 404]).toContain(status);
      expect(parts).toMatch(/^\{"error":"(not_found|invalid_request)"/);
    }
  });
});

test('while the archive is away, the answer is that of the gateway', async () => {
  await orthanc.kill();
  for (const [path, accept] of [
    [study(OWN), OBJECTS],
    [`${instance(OWN)}/frames/1`, STORED_FRAMES],
  ] as const) {
    const { byNginx, byGateway } = await both(path, { accept });
    expect(byGateway.status).toBe(503);
    expect([byNginx.status, byNginx.headers, byNginx.parts]).toEqual([
      503,
      byGateway.headers,
      byGateway.parts,
    ]);
  }
});
