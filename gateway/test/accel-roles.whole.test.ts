/**
 * ACCEL=nginx with the roles as processes of their own: one nginx at the entry, which fetches the images, and another one
 * between the roles (docs/several-processes.md), which must not.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { request } from 'undici';
import { ROLES, startBalancers, type Role } from './chaos/balancers.ts';
import { asked } from './setup/asked-twice.ts';
import { freePort } from './setup/free-port.ts';
import { startGateway } from './setup/gateway.ts';
import { startAccelNginx } from './setup/nginx.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { smallObjects } from './setup/small-objects.ts';

const KEY = 'k'.repeat(32);
const OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*';
const STUDY = '/open/dicomweb/studies/1.7.1';

let orthanc: Orthanc;
let entry: string;
let gateway: string;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'accel-roles-'));
  ends.push(() => rm(directory, { recursive: true, force: true }));
  orthanc = await startOrthanc({ files: smallObjects({ studyUid: '1.7.1', patientId: 'A', instances: 3 }) });
  ends.unshift(() => orthanc.stop());
  const { dicomWebUrl: endpoint, username, password } = orthanc;
  const authentication = { type: 'http-basic', username, password };
  const tenant = {
    authorization: { type: 'mock', disableAuthzChecks: true },
    clinical: { type: 'none' },
    images: { type: 'dicom-web', lookup: 'all-studies-on-server', endpoint, authentication },
  };
  for (const folder of ['tenants', 'entry', 'roles']) await mkdir(join(directory, folder));
  await writeFile(join(directory, 'tenants/open.json'), JSON.stringify(tenant));

  const ports = { gateway: await freePort(), clinical: await freePort(), imaging: await freePort() };
  const servers = Object.fromEntries(ROLES.map((role) => [role, [`127.0.0.1:${ports[role]}`]]));
  const here = { address: '127.0.0.1', within: [] };
  const { urls, end } = await startBalancers(
    join(directory, 'roles'),
    servers as Record<Role, string[]>,
    here,
  );
  ends.unshift(end);
  gateway = `http://127.0.0.1:${ports.gateway}`;
  const settings = {
    CLINICAL_URL: urls.clinical,
    IMAGING_URL: urls.imaging,
    SEALING_KEY: 's'.repeat(32),
    ACCEL: 'nginx',
    ACCEL_KEY: KEY,
    TRUSTED_PROXIES: '127.0.0.1',
    DIMSE_PORT: '0',
    TENANTS_DIR: join(directory, 'tenants'),
    BASE_URL: gateway,
  };
  const start = (role: Role) =>
    startGateway({ ...settings, PORT: String(ports[role]) }, role === 'gateway' ? [] : [role]);
  for (const process of await Promise.all(ROLES.map(start))) ends.unshift(() => process.stop());
  const accel = await startAccelNginx(join(directory, 'entry'), { key: KEY, gateway, archive: endpoint });
  ends.unshift(() => accel.end());
  entry = accel.url;
}, 120_000);
afterAll(async () => {
  for (const end of ends) await end();
});

test.each([
  ['a study', STUDY, OBJECTS, 3],
  ['a frame', `${STUDY}/series/1.7.1.1/instances/1.7.1.1.1/frames/1`, '*/*', 1],
])('%s: the nginx of the entry fetches it, through the one between the roles', async (...row) => {
  const [, path, accept, parts] = row;
  const byGateway = await asked(gateway, path, { accept });
  const byNginx = await asked(entry, path, { accept });
  expect(byGateway).toMatchObject({ status: 200, parts: { length: parts } });
  expect([byNginx.status, byNginx.headers]).toEqual([200, byGateway.headers]);
  expect(byNginx.parts).toHaveLength(parts);
  // It was nginx that fetched it: for a request with its key, the gateway says where.
  const { headers, body } = await request(gateway + path, { headers: { accept, 'x-accel-key': KEY } });
  await body.dump();
  expect(headers['x-accel-redirect']).toMatch(
    /^\/_accel\/http\/127\.0\.0\.1:\d+\/dicom-web\/studies\/1\.7\.1/,
  );
});
