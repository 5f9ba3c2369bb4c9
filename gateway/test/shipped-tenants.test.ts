import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bundle } from 'fhir/r4.js';
import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ExpressionPool } from '../../schema/expressions/pool.ts';
import { populationEnvironment } from '../demo/population/environment.ts';
import { readTenants } from '../tenants/loading/tenants.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { SECRET, vendorServer, type VendorServer } from './vendor-server.ts';

/**
 * The shipped tenant files, one for each kind of the reference server, behave as SM-11 requires. They are used
 * unchanged, with values of the environment; those of type `smart-on-fhir-independent` have their own tests.
 */

const GEORGE = '0019540';
const DEMO_PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
const shipped = join(import.meta.dirname, '../tenants');
let smart: AuthorizationServer;
let epic: VendorServer;
let meditech: VendorServer;
let orthanc: Orthanc;
let gateway: TestGateway;

beforeAll(async () => {
  [smart, epic, meditech, orthanc] = await Promise.all([
    authorizationServer(),
    vendorServer('epic'),
    vendorServer('meditech'),
    startOrthanc({ username: 'orthanc' }),
  ]);
  const { privateKey } = await generateKeyPair('ES384', { extractable: true });
  const environment = {
    VIEWER_URL: 'http://localhost/app/',
    DEMO_PLAYGROUND_URL: 'http://localhost/demo/playground',
    DEMO_SECRET: 'x'.repeat(32),
    ORTHANC_DICOM_WEB: orthanc.dicomWebUrl,
    ORTHANC_PASSWORD: orthanc.password,
    SMART_SANDBOX_FHIR: smart.fhirBaseUrl,
    CERNER_FHIR: smart.fhirBaseUrl,
    SMART_LOCAL_FHIR: smart.fhirBaseUrl,
    ...Object.fromEntries(
      ['SMART_SANDBOX', 'CERNER', 'SMART_LOCAL'].flatMap((name) => [
        [`${name}_CLIENT_ID`, smart.client.client_id],
        [`${name}_JWK`, JSON.stringify(smart.client.jwkPrivate)],
      ]),
    ),
    EPIC_FHIR: epic.fhirBaseUrl,
    EPIC_CLIENT_ID: 'imaging',
    EPIC_JWK: JSON.stringify(await exportJWK(privateKey)),
    MEDITECH_FHIR: meditech.fhirBaseUrl,
    MEDITECH_CLIENT_ID: 'imaging',
    MEDITECH_CLIENT_SECRET: SECRET,
  };
  gateway = await buildTestGateway(() => ({}), undefined, undefined, {
    tenants: (demo) =>
      readTenants({
        directory: shipped,
        environment: {
          ...environment,
          ...populationEnvironment('/nowhere', 'http://localhost'),
          // The population is not made for these tests.
          POPULATION_RECORDS: demo.patients,
          POPULATION_IMAGES: demo.images,
          DEMO_IMAGES: demo.images,
        },
        demo,
        mockAllowed: true,
        dynamic: false,
        dynamicHosts: new Set<string>(),
        expressions: new ExpressionPool(),
      }),
  });
  const study = join(gateway.demo.images, 'whitfield-xa-coronary-2026', 'series-1');
  const [first] = (await readdir(study)).sort();
  await orthanc.upload([join(study, first!)]);
  const identifier = [{ type: { coding: [{ code: 'MR' }] }, value: `MRN-${GEORGE}` }];
  smart.patients.set(GEORGE, { resourceType: 'Patient', id: GEORGE, identifier });
  const active = { client_id: 'app', exp: Math.floor(Date.now() / 1000) + 3600 };
  smart.tokens.set('launched', { ...active, patient: GEORGE, scope: 'patient/ImagingStudy.rs' });
  smart.tokens.set('short', { ...active, patient: GEORGE, scope: 'patient/Patient.rs' });
  const sub = `${epic.fhirBaseUrl}/Patient/${GEORGE}`;
  epic.tokens.set('launched', { ...active, active: true, sub, scope: 'patient/DiagnosticReport.read' });
  epic.tokens.set('short', { ...active, active: true, sub, scope: 'patient/Patient.read' });
  meditech.tokens.set('launched', { ...active, active: true, scope: 'patient/ImagingStudy.read' });
  meditech.readers.set(GEORGE, new Set(['launched']));
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await Promise.all([smart?.close(), epic?.close(), meditech?.close(), orthanc?.stop()]);
});

const get = (path: string, token?: string) =>
  gateway.app.inject({ url: `/${path}`, ...(token && { headers: { authorization: `Bearer ${token}` } }) });
const count = (body: string) => (JSON.parse(body) as Bundle).total;

describe.each(['smart-sandbox', 'smart-sandbox-local', 'cerner-sandbox', 'epic-sandbox'])('%s', (tenant) => {
  test.each<[path: string, token: string | undefined, status: number]>([
    [`fhir/ImagingStudy?patient=${GEORGE}`, 'launched', 200],
    [`fhir/ImagingStudy?patient=Patient/${GEORGE}`, 'launched', 200],
    ['fhir/ImagingStudy?patient=another', 'launched', 403],
    [`fhir/ImagingStudy?patient=${GEORGE}`, 'short', 403],
    [`fhir/ImagingStudy?patient=${GEORGE}`, 'made-up', 401],
    [`fhir/ImagingStudy?patient=${GEORGE}`, undefined, 401],
    ['dicomweb/studies', 'launched', 200],
    ['dicomweb/studies/1.2.3', 'launched', 404],
    ['fhir/metadata', undefined, 200],
    ['fhir/.well-known/smart-configuration', undefined, 200],
  ])('SM-11 %s with %s → %i', async (path, token, status) => {
    const { statusCode, body } = await get(`${tenant}/${path}`, token);
    expect(statusCode).toBe(status);
    if (status === 200 && path.startsWith('fhir/ImagingStudy')) expect(count(body)).toBe(1);
    if (path.endsWith('smart-configuration')) {
      expect((JSON.parse(body) as { capabilities: string[] }).capabilities).toContain('smart-imaging-access');
    }
  });
});

test('SM-11 meditech-sandbox is insecure: refused as shipped, and not advertised', async () => {
  const refused = await get(`meditech-sandbox/fhir/ImagingStudy?patient=${GEORGE}`, 'launched');
  expect(refused.statusCode).toBe(403);
  expect(refused.body).toContain('allowInsecureQuirks');
  expect(meditech.seen).toEqual([]);
  const { body } = await get('meditech-sandbox/fhir/.well-known/smart-configuration');
  expect(body).not.toContain('smart-imaging-access');
});

describe('SM-11 mock', () => {
  test.each<[path: string, status: number]>([
    [`open/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, 200],
    ['open/fhir/ImagingStudy?patient=anybody', 200],
    ['open/dicomweb/studies', 200],
    [`hardcoded-patient/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, 200],
    ['hardcoded-patient/fhir/ImagingStudy', 200],
    ['hardcoded-patient/fhir/ImagingStudy?patient=demo-george-whitfield', 403],
    [`hardcoded-patient/fhir/Patient/${DEMO_PATIENT}`, 200],
    ['hardcoded-patient/fhir/Patient/demo-george-whitfield', 403],
    [`delayed/fhir/ImagingStudy?patient=${DEMO_PATIENT}`, 503],
    ['delayed/dicomweb/studies', 503],
    ['delayed/dicomweb/studies/1.2.3', 503],
    // Only images are delayed, not the record.
    [`delayed/fhir/Patient/${DEMO_PATIENT}`, 200],
  ])('%s → %i, with or without a token, which is ignored', async (path, status) => {
    for (const token of [undefined, 'ignored']) {
      const { statusCode, headers } = await get(path, token);
      expect([token, statusCode]).toEqual([token, status]);
      if (status === 503) expect(Number(headers['retry-after'])).toBeGreaterThan(1_000_000);
      else expect(headers['retry-after']).toBeUndefined();
    }
  });

  test('gives the studies of all patients with disableAuthzChecks, otherwise only those of the configured patient', async () => {
    const rows = JSON.parse((await get('open/dicomweb/studies')).body) as Record<
      string,
      { Value: [string] }
    >[];
    const own = rows.filter((row) => row['00100020']!.Value[0] === '293ee354-f8ad-4345-b10c-759fdfdcc082');
    expect(own.length).toBeLessThan(rows.length);
    const { body } = await get('hardcoded-patient/dicomweb/studies');
    const uids = (found: typeof rows) => found.map((row) => row['0020000D']!.Value[0]).sort();
    expect(uids(JSON.parse(body) as typeof rows)).toEqual(uids(own));
    const foreign = rows.find((row) => !own.includes(row))!['0020000D']!.Value[0];
    expect((await get(`hardcoded-patient/dicomweb/studies/${foreign}`)).statusCode).toBe(404);
  });
});
