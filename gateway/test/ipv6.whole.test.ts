/** The built gateway on ::1 alone: its EHR, its archives, Redis and its clients have IPv6 addresses only. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { freePort, isOpen } from './setup/free-port.ts';
import { startGateway, type GatewayProcess } from './setup/gateway.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { startRedis, type Redis } from './setup/redis.ts';
import { smallObjects } from './setup/small-objects.ts';
import { startTcpProxy, type TcpProxy } from './setup/tcp-proxy.ts';

const STUDY = '1.2.49';
const directory = mkdtempSync(join(tmpdir(), 'ipv6-'));
const watched = join(directory, 'connections');
let ehr: AuthorizationServer;
let orthanc: Orthanc;
let redis: Redis;
/** Orthanc listens on IPv4 only; these listen on ::1 for it, and for its deliveries on IPv4. */
let proxies: TcpProxy[] = [];
let gateway: GatewayProcess;
let dynamic: string;

beforeAll(async () => {
  [ehr, redis] = await Promise.all([authorizationServer('::1'), startRedis(undefined, '::1')]);
  const dimsePort = await freePort();
  const deliveries = await startTcpProxy(dimsePort, '127.0.0.1', '::1');
  orthanc = await startOrthanc({
    files: smallObjects({ studyUid: STUDY, patientId: 'MRN-1', instances: 2 }),
    modalities: { gateway: { aet: 'STORESCP', port: deliveries.port } },
  });
  const web = await startTcpProxy(Number(new URL(orthanc.url).port), '::1');
  const dicom = await startTcpProxy(orthanc.dicomPort, '::1');
  proxies = [deliveries, web, dicom];
  const authorization = { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client };
  const ofWeb = {
    type: 'dicom-web',
    lookup: 'studies-by-mrn',
    endpoint: `http://[::1]:${web.port}/dicom-web`,
    authentication: { type: 'http-basic', username: orthanc.username, password: orthanc.password },
  };
  const ofDimse = {
    type: 'dicom-dimse',
    lookup: 'studies-by-mrn',
    endpoint: `dimse://[::1]:${dicom.port}`,
    calledAe: orthanc.aet,
    retrieval: 'c-move',
  };
  writeFileSync(join(directory, 'web.json'), JSON.stringify({ authorization, images: ofWeb }));
  writeFileSync(join(directory, 'dimse.json'), JSON.stringify({ authorization, images: ofDimse }));
  dynamic = `dyn/${Buffer.from(JSON.stringify({ authorization, images: ofWeb })).toString('base64url')}`;
  const port = String(await freePort());
  gateway = await startGateway({
    HOST: '::1',
    PORT: port,
    BASE_URL: `http://[::1]:${port}`,
    TENANTS_DIR: directory,
    REDIS_URL: redis.url,
    SEALING_KEY: 'a key of the gateway that has IPv6 only',
    DIMSE_PORT: String(dimsePort),
    TRUSTED_PROXIES: '::1',
    DYN_ALLOWED_HOSTS: [new URL(ehr.url).host, `[::1]:${web.port}`].join(','),
    NODE_OPTIONS: `--import=${join(import.meta.dirname, 'setup/connection-watch.mjs')}`,
    WATCH_CONNECTIONS: watched,
  });
  ehr.patients.set('p1', { resourceType: 'Patient', id: 'p1', identifier: [{ value: 'MRN-1' }] });
  ehr.tokens.set('token', { scope: 'patient/*.rs', patient: 'p1', exp: Date.now() / 1000 + 3600 });
}, 90_000);
afterAll(async () => {
  await gateway?.stop();
  await Promise.all([ehr?.close(), orthanc?.stop(), redis?.stop(), ...proxies.map((proxy) => proxy.stop())]);
  rmSync(directory, { recursive: true, force: true });
});

const headers = { authorization: 'Bearer token', 'content-type': 'application/json' };
const graphql = (tenant: string) =>
  fetch(`${gateway.url}/${tenant}/graphql`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ query: '{ Patient(id: "p1") { id ImagingStudyList { id } } }' }),
  });

test('it listens on ::1 alone, shares state by Redis there, and names itself by its address', async () => {
  const port = Number(new URL(gateway.url).port);
  expect([await isOpen(port, '::1'), await isOpen(port, '127.0.0.1')]).toEqual([true, false]);
  const ready = async () => (await fetch(`${gateway.url}/health/ready`)).json();
  await vi.waitFor(async () => expect(await ready()).toMatchObject({ sharedState: 'reachable' }), 10_000);
  const metadata = await fetch(`${gateway.url}/web/fhir/metadata`);
  expect(JSON.stringify(await metadata.json())).toContain(new URL(gateway.url).host);
});

test.each(['web', 'dimse', 'a tenant in the URL'])(
  'a federated request and a retrieval: %s',
  async (name) => {
    const tenant = name === 'a tenant in the URL' ? dynamic : name;
    const answer = await graphql(tenant);
    expect(await answer.json()).toEqual({
      data: { Patient: { id: 'p1', ImagingStudyList: [{ id: STUDY }] } },
    });
    const study = await fetch(`${gateway.url}/${tenant}/dicomweb/studies/${STUDY}`, { headers });
    expect(study.status).toBe(200);
    expect(
      Buffer.from(await study.arrayBuffer())
        .toString('latin1')
        .match(/DICM/g),
    ).toHaveLength(2);
  },
);

test('every connection of it led to ::1', () => {
  const opened = readFileSync(watched, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('connect '));
  expect(opened.length).toBeGreaterThan(3);
  expect(opened.filter((line) => !line.startsWith('connect ::1:'))).toEqual([]);
});
