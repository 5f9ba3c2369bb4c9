import { exportJWK, generateKeyPair } from 'jose';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { Writable } from 'node:stream';
import { join } from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseTenant, type Tenant } from '../../schema/tenant/tenant.ts';
import { clinicalSubgraph } from '../../subgraphs/clinical/app.ts';
import { imagingSubgraph } from '../../subgraphs/imaging/app.ts';
import { patientDirectory } from '../joins/record-directory.ts';
import { outboundConnections } from '../outbound/connections.ts';
import { logger } from '../http/logger.ts';
import { checkTenant, table } from '../self-test/command.ts';
import { selfTest, type Report, type SelfTest } from '../self-test/self-test.ts';
import { authorizationServer as ownServer } from '../smart/server/server.ts';
import { peopleOfRecord } from '../smart/server/sign-in/people.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { freePort } from './setup/free-port.ts';
import { startOrthanc, type Orthanc } from './setup/orthanc.ts';
import { SECRET, vendorServer } from './vendor-server.ts';

const NAME = 'Zarathustra';
const MRN = 'MRN-4711';
const PASSWORD = 'orthanc-test';
const root = join(import.meta.dirname, '../..');
const RECORDS = join(root, 'gateway/demo/patients');
const baseUrl = 'http://localhost';

let ehr: AuthorizationServer;
let orthanc: Orthanc;
let dataDir: string;
let run: SelfTest;
let close: () => Promise<void>;
let atTime: (now: () => number, seconds?: number) => SelfTest;
let logged = '';

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'self-test-'));
  [ehr, orthanc] = await Promise.all([authorizationServer(), startOrthanc({ password: PASSWORD })]);
  const clinical = clinicalSubgraph({ dataDir, baseUrl, loadWait: 30_000 });
  const connections = outboundConnections({ dynamicHosts: new Set(), log: console });
  const imaging = imagingSubgraph({
    baseUrl,
    dataDir,
    now: () => Date.now() / 1000,
    log: logger(
      'info',
      new Writable({ write: (chunk, _encoding, done) => ((logged += String(chunk)), done()) }),
    ) as FastifyBaseLogger,
    dispatcher: connections.dispatcher,
    directory: patientDirectory((tenant, access) => clinical.open(tenant, access)),
  });
  const record = peopleOfRecord((tenant, access) => clinical.open(tenant, access));
  const outside = { dispatcher: connections.dispatcher, now: Date.now };
  const own = ownServer({
    baseUrl,
    dataDir,
    outside,
    now: Date.now,
    people: record.people,
    onError: () => undefined,
  });
  atTime = (now, seconds = 10) => selfTest({ ...outside, now, seconds, own, record, images: imaging.checks });
  run = atTime(Date.now);
  close = async () => {
    await Promise.all([clinical.close(), imaging.close(), own.close()]);
  };
});
beforeEach(() => {
  const identifier = [{ type: { coding: [{ code: 'MR' }] }, value: MRN }];
  const name = [{ family: NAME }];
  ehr.patients.set('patient-17', { resourceType: 'Patient', id: 'patient-17', name, identifier });
});
afterEach(() => {
  ehr.mode = 'up';
  ehr.instead.clear();
  ehr.patients.clear();
});
afterAll(async () => {
  await close();
  await Promise.all([ehr.close(), orthanc.stop()]);
  await rm(dataDir, { recursive: true, force: true });
});

const authentication = { type: 'http-basic', username: 'gateway', password: PASSWORD };
const images = (more: object = {}) => ({
  type: 'dicom-web',
  lookup: 'studies-by-mrn',
  endpoint: orthanc.dicomWebUrl,
  authentication,
  ...more,
});
const smart = (more: object = {}) => ({
  type: 'smart-on-fhir',
  fhirBaseUrl: ehr.fhirBaseUrl,
  scope: 'system/Patient.read',
  client: ehr.client,
  ...more,
});
const tenantOf = (file: object, dynamic = false): Tenant =>
  parseTenant(file, { key: 'hospital', path: 'hospital', dynamic, directory: '/', environment: {} }).tenant;

/** Maps names of checks to outcomes, with the reason where there is one. */
const outcomes = ({ checks }: Report) =>
  Object.fromEntries(
    checks.map(({ name, outcome, reason }) => [name, reason ? `${outcome}: ${reason}` : outcome]),
  );

test('SM-18 a tenant that works: every check is ok, and no patient is named', async () => {
  const report = await run(tenantOf({ authorization: smart(), images: images() }));
  expect(outcomes(report)).toEqual({
    discovery: 'ok',
    'client-assertion': 'ok',
    introspection: 'ok',
    clock: 'ok',
    'patient-read': 'ok',
    'mrn-path': 'ok',
    'image-source': 'ok',
  });
  expect(report).toMatchObject({
    tenant: 'hospital',
    authorization: 'smart-on-fhir',
    images: ['dicom-web'],
    ok: true,
  });
  for (const { milliseconds } of report.checks) expect(milliseconds).toBeGreaterThanOrEqual(0);
  const { d } = ehr.client.jwkPrivate as { d: string };
  for (const text of [JSON.stringify(report), table(report)]) {
    for (const secret of [NAME, MRN, 'patient-17', PASSWORD, d, 'backend-'])
      expect(text).not.toContain(secret);
  }
});

describe('SM-18 a failure is reported with what to do', () => {
  const other = async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES384', { extractable: true });
    const named = { kid: 'test-key', alg: 'ES384' };
    return {
      jwk: { ...(await exportJWK(publicKey)), ...named },
      jwkPrivate: { ...(await exportJWK(privateKey)), ...named },
    };
  };
  type Row = [what: string, check: string, prepare: () => object | Promise<object>, reason: RegExp];
  test.each<Row>([
    [
      'nothing listens',
      'discovery',
      async () => smart({ fhirBaseUrl: `http://127.0.0.1:${await freePort()}/fhir` }),
      /cannot be reached: nothing listens there$/,
    ],
    [
      'an unknown host name',
      'discovery',
      () => smart({ fhirBaseUrl: 'http://ehr.invalid/fhir' }),
      /at ehr\.invalid cannot be reached: its name is not known to DNS$/,
    ],
    [
      'another base',
      'discovery',
      () => smart({ fhirBaseUrl: `${ehr.url}/wrong` }),
      /answered 404: authorization\.fhirBaseUrl is not the base of a SMART server$/,
    ],
    ['an HTML page', 'discovery', () => ((ehr.mode = 'nonsense'), smart()), /is not a JSON object$/],
    [
      'connections that break',
      'discovery',
      () => ((ehr.mode = 'down'), smart()),
      /cannot be reached: it closed the connection;/,
    ],
    [
      'a document without endpoints',
      'discovery',
      () => (instead('/fhir/.well-known/smart-configuration', 200, {}), smart()),
      /names no token_endpoint, no introspection_endpoint$/,
    ],
    [
      'no client',
      'client-assertion',
      () => smart({ client: undefined }),
      /^authorization\.client is missing/,
    ],
    [
      'a description, with what it quotes of our secrets',
      'client-assertion',
      () => {
        const error_description = `The secret ${SECRET} is not known. [Trace 0815] eyJhbGciOi.${'x'.repeat(60)}`;
        instead('/token', 401, { error: 'invalid_client', error_description });
        return smart({ client: { client_id: 'c', client_secret: SECRET, authentication: 'bearer' } });
      },
      /^the token endpoint answered 401 invalid_client \(The secret \[…\] is not known\. \[Trace 0815\] \[…\]\): it does not know client_id c,/,
    ],
    [
      'another key',
      'client-assertion',
      async () => smart({ client: { ...ehr.client, ...(await other()) } }),
      /^the token endpoint answered 400 invalid_client: it does not know client_id imaging-gateway, or the public key registered there is not the one in client\.jwk$/,
    ],
    [
      'halves of two key pairs',
      'client-assertion',
      async () => smart({ client: { ...ehr.client, jwk: (await other()).jwk } }),
      /jwk is not the public half of authorization\.client\.jwkPrivate$/,
    ],
    [
      'no key',
      'client-assertion',
      () => smart({ client: { client_id: 'c', jwkPrivate: { kty: 'EC', crv: 'P-384' } } }),
      /jwkPrivate is not a private key/,
    ],
    [
      'a refused scope',
      'client-assertion',
      () => (instead('/token', 400, { error: 'invalid_scope' }), smart()),
      /invalid_scope: this client may not have the scope system\/Patient\.read$/,
    ],
    [
      'a refused grant',
      'client-assertion',
      () => (instead('/token', 400, { error: 'unauthorized_client' }), smart()),
      /client_credentials is not allowed for this client$/,
    ],
    [
      'no token in the answer',
      'client-assertion',
      () => (instead('/token', 200, {}), smart()),
      /answered 200 without an access_token$/,
    ],
    [
      'introspection forbidden',
      'introspection',
      () => (instead('/introspect', 403, {}), smart()),
      /answered 403: imaging-gateway may not ask about tokens with its access token/,
    ],
    [
      'introspection elsewhere',
      'introspection',
      () => smart({ introspectionUrl: `${ehr.url}/nowhere` }),
      /answered 404; is it really at \/nowhere\?$/,
    ],
    [
      'every token is active',
      'introspection',
      () => (instead('/introspect', 200, { active: true }), smart()),
      /says that a made-up token is active$/,
    ],
    [
      'no answer whether a token is active',
      'introspection',
      () => (instead('/introspect', 200, {}), smart()),
      /without saying whether a token is active$/,
    ],
    [
      'no keys',
      'introspection',
      () => smart({ type: 'smart-on-fhir-jwt' }),
      /\/jwks answered 404 and no keys/,
    ],
    [
      'the token is refused',
      'patient-read',
      () => (instead('/fhir/Patient', 401, {}), smart()),
      /does not take the access token that its token endpoint gave$/,
    ],
    [
      'an EHR that redirects',
      'patient-read',
      () => (ehr.instead.set('/fhir/Patient', [302, {}]), smart()),
      /redirects \(302\)/,
    ],
  ])('%s', async (_what, check, prepare, reason) => {
    const report = await run(tenantOf({ authorization: await prepare(), images: images() }));
    const found = report.checks.find(({ name }) => name === check)!;
    expect(found).toMatchObject({ outcome: 'failed', reason: expect.stringMatching(reason) });
    expect(report.ok).toBe(false);
    expect(JSON.stringify(report)).not.toContain(MRN);
    // The images are not affected.
    expect(outcomes(report)['image-source']).toBe('ok');
  });

  const instead = (path: string, status: number, json: object) => ehr.instead.set(path, [status, json]);

  test('checks that depend on a failed one are skipped', async () => {
    ehr.instead.set('/token', [401, {}]);
    expect(outcomes(await run(tenantOf({ authorization: smart(), images: images() })))).toMatchObject({
      discovery: 'ok',
      'client-assertion': expect.stringMatching(/^failed: .*401/),
      introspection: 'skipped: we have no access token of our own',
      'patient-read': 'skipped: we have no access token of our own',
      'mrn-path': 'skipped: no Patient was read',
    });
  });

  test('a Patient without an MRN: reports the types of its identifiers, not their values', async () => {
    const identifier = [{ system: 'http://hl7.org/fhir/sid/us-ssn', value: '078-05-1120' }, { value: MRN }];
    ehr.patients.set('patient-17', { resourceType: 'Patient', id: 'patient-17', identifier });
    const mrn = ["identifier.where(type.coding.code='MR').value"];
    const report = await run(tenantOf({ authorization: smart(), images: images({ mrn }) }));
    expect(outcomes(report)['mrn-path']).toBe(
      'failed: no path in images.mrn gives a value for the Patient that was read; types or systems of its identifiers: http://hl7.org/fhir/sid/us-ssn, none',
    );
    expect(JSON.stringify(report)).not.toMatch(/078-05|4711/);
  });

  test('a path that cannot be evaluated: failed with the reason', async () => {
    const report = await run(
      tenantOf({ authorization: smart(), images: images({ mrn: ['identifier.where(value > 1).value'] }) }),
    );
    expect(outcomes(report)['mrn-path']).toMatch(/^failed: The tenant's images\.mrn holds an expression/);
  });

  test('where no search is allowed the operator names a Patient', async () => {
    ehr.instead.set('/fhir/Patient', [403, {}]);
    const tenant = tenantOf({ authorization: smart(), images: images() });
    expect(outcomes(await run(tenant))['patient-read']).toBe(
      'skipped: the FHIR server answered 403 to a search for Patients; name one (--patient ID, or ?patient=ID)',
    );
    expect(outcomes(await run(tenant, 'patient-17'))).toMatchObject({
      'patient-read': 'ok',
      'mrn-path': 'ok',
    });
    expect(outcomes(await run(tenant, 'nobody'))['patient-read']).toMatch(
      /answered 404: it has no such Patient$/,
    );
    ehr.instead.set('/fhir/Patient/patient-17', [403, {}]);
    expect(outcomes(await run(tenant, 'patient-17'))['patient-read']).toMatch(
      /scope\) do not cover Patient$/,
    );
    await expect(run(tenant, '../metadata')).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('SM-15 a host that a dynamic tenant may not reach: failed', async () => {
    const file = { authorization: smart(), images: images() };
    const report = await run(tenantOf(file, true));
    expect(outcomes(report)['discovery']).toMatch(/^failed: .*(private|allowed|reach)/i);
    expect(outcomes(report)['image-source']).toMatch(/^failed: /);
  });
});

describe('SM-18 image sources', () => {
  const oauth2 = { type: 'oauth2', client_id: 'gateway', client_secret: 'hunter2' };
  const dimse = (port: number) => ({
    type: 'dicom-dimse',
    lookup: 'studies-by-mrn',
    endpoint: `dimse://127.0.0.1:${port}`,
  });
  const check = async (source: object) =>
    outcomes(
      await run(tenantOf({ authorization: { type: 'mock', disableAuthzChecks: true }, images: source })),
    );

  test.each<[what: string, source: () => object | Promise<object>, outcome: RegExp]>([
    [
      'a wrong password',
      () => images({ authentication: { ...authentication, password: 'hunter2' } }),
      /^failed: http.* answered 401: it does not accept what images\.authentication says$/,
    ],
    [
      'a wrong path',
      () => images({ endpoint: `${orthanc.url}/wrong` }),
      /\(http:\/\/[^/]+\/dicom-web is one: set images\.endpoint to it\)$/,
    ],
    [
      'the REST API of Orthanc in place of DICOMweb',
      () => images({ endpoint: `${orthanc.url}` }),
      /This is not the root of a DICOMweb server\. \(http:.*\/dicom-web is one: set images\.endpoint to it\)$/,
    ],
    [
      'the page of Orthanc in place of DICOMweb',
      () => images({ endpoint: `${orthanc.url}/app/explorer.html` }),
      /\(http:\/\/[^/]+\/dicom-web is one: set images\.endpoint to it\)$/,
    ],
    [
      'the address of a search',
      () => images({ endpoint: `${orthanc.dicomWebUrl}/studies` }),
      /\(http:\/\/[^/]+\/dicom-web is one: set images\.endpoint to it\)$/,
    ],
    [
      'no server',
      async () => images({ endpoint: `http://127.0.0.1:${await freePort()}` }),
      /cannot be reached: nothing listens there$/,
    ],
    [
      'https at a port without TLS',
      () => images({ endpoint: orthanc.dicomWebUrl.replace('http:', 'https:') }),
      /cannot be reached: the server at this port does not speak TLS$/,
    ],
    ['no DICOMweb server', () => images({ endpoint: ehr.url }), /answered 404/],
    [
      'a token endpoint that refuses us',
      () => images({ authentication: { ...oauth2, tokenUrl: `${ehr.url}/token` } }),
      /^failed: images\.authentication\.tokenUrl answered 400: it does not accept the client_id/,
    ],
    ['a PACS', () => dimse(orthanc.dicomPort), /^ok$/],
    [
      'a PACS that sends by C-MOVE',
      () => ({ ...dimse(orthanc.dicomPort), retrieval: 'c-move', ae: 'NOBODY' }),
      /^ok: not tested: whether the archive knows NOBODY \(images\.ae\)/,
    ],
    [
      'no PACS',
      async () => dimse(await freePort()),
      /^failed: dimse:\/\/127\.0\.0\.1:\d+ \(images\.endpoint\) cannot be reached: nothing listens there$/,
    ],
    ['a PACS that speaks HTTP', () => dimse(Number(new URL(orthanc.url).port)), /^failed: dimse:/],
    ['a folder', () => ({ type: 'folder', lookup: 'studies-by-mrn', path: RECORDS }), /^ok$/],
    [
      'no folder',
      () => ({ type: 'folder', lookup: 'studies-by-mrn', path: '/nowhere' }),
      /^failed: images\.path is not there$/,
    ],
  ])('%s', async (_what, source, outcome) => {
    const all = await check(await source());
    expect(all['image-source']).toMatch(outcome);
    expect(JSON.stringify(all)).not.toContain('hunter2');
  });

  test('the log names tenant and folder of a folder that is away', async () => {
    await check({ type: 'folder', lookup: 'studies-by-mrn', path: '/nowhere/else' });
    const [line] = logged.split('\n').filter((line) => line.includes('/nowhere/else'));
    expect(JSON.parse(line!)).toMatchObject({
      tenant: 'hospital',
      folder: '/nowhere/else',
      reason: 'missing',
      msg: expect.stringMatching(/^the folder is away/) as unknown,
    });
  });

  test('several sources are each reported by number', async () => {
    const all = await check([images(), { type: 'folder', lookup: 'studies-by-mrn', path: '/nowhere' }]);
    expect(all).toMatchObject({ 'image-source 1': 'ok', 'image-source 2': expect.stringMatching(/^failed/) });
  });

  test('a source that hangs fails when its time is over', async () => {
    await orthanc.freeze();
    const tenant = tenantOf({ authorization: { type: 'mock', disableAuthzChecks: true }, images: images() });
    const report = outcomes(await atTime(Date.now, 2)(tenant));
    expect(report['image-source']).toBe('failed: there was no answer within 2 s');
    orthanc.thaw();
  });
});

describe('SM-18 clocks that differ', () => {
  test.each([
    [600_000, 'behind'],
    [-600_000, 'ahead of'],
  ])('ours by %i ms: the refused assertion and a check of its own say so', async (offset, side) => {
    const report = outcomes(
      await atTime(() => Date.now() + offset)(tenantOf({ authorization: smart(), images: images() })),
    );
    const clock = new RegExp(`its clock is (599|600|601) s ${side} ours`);
    expect(report['client-assertion']).toMatch(/^failed: the token endpoint answered 400 invalid_client/);
    expect(report['client-assertion']).toMatch(clock);
    expect(report['clock']).toMatch(
      new RegExp(`^failed: the clock of the discovery document is \\d+ s ${side} ours: .*NTP$`),
    );
  });

  test('a cached document with an old Date and its Age is no wrong clock', async () => {
    ehr.headers = { date: new Date(Date.now() - 3_600_000).toUTCString(), age: '3600' };
    const report = await run(tenantOf({ authorization: smart(), images: images() }));
    ehr.headers = {};
    expect(outcomes(report)['clock']).toBe('ok');
  });
});

describe('SM-18 every kind of tenant', () => {
  test('mock with a record: no token, a Patient and its MRN', async () => {
    const authorization = { type: 'mock', disableAuthzChecks: true };
    const clinical = { type: 'store', path: RECORDS };
    expect(outcomes(await run(tenantOf({ authorization, clinical, images: images() })))).toEqual({
      discovery: 'skipped: this tenant asks for no token',
      'client-assertion': 'skipped: this tenant asks for no token',
      introspection: 'skipped: this tenant asks for no token',
      clock: 'skipped: this tenant asks for no token',
      'patient-read': 'ok',
      'mrn-path': 'ok',
      'image-source': 'ok',
    });
  });

  test('mock with and without a configured patient', async () => {
    const patient = { resourceType: 'Patient', id: 'p', identifier: [{ value: MRN }] };
    expect(
      outcomes(await run(tenantOf({ authorization: { type: 'mock', patient }, images: images() }))),
    ).toMatchObject({ 'patient-read': 'ok', 'mrn-path': 'ok' });
    expect(
      outcomes(await run(tenantOf({ authorization: { type: 'mock' }, images: images() }))),
    ).toMatchObject({
      'patient-read': 'failed: authorization.patient is missing: all requests for data are refused',
    });
  });

  test('embedded: our own server starts', async () => {
    const clinical = { type: 'store', path: RECORDS };
    const tenant = tenantOf({ authorization: { type: 'embedded' }, clinical, images: images() });
    expect(outcomes(await run(tenant))).toMatchObject({
      discovery: 'ok',
      'client-assertion': 'skipped: this tenant’s tokens are our own',
      introspection: 'ok',
      'patient-read': 'ok',
      'mrn-path': 'ok',
    });
  });

  test.each(['epic', 'meditech'] as const)('%s', async (kind) => {
    const vendor = await vendorServer(kind);
    const jwkPrivate = ehr.client.jwkPrivate;
    const client =
      kind === 'epic'
        ? { client_id: 'imaging', jwkPrivate }
        : { client_id: 'imaging', client_secret: SECRET };
    const authorization = {
      type: `smart-on-fhir-with-${kind}-bugfixes`,
      fhirBaseUrl: vendor.fhirBaseUrl,
      client,
      allowInsecureQuirks: true,
    };
    const tenant = tenantOf({ authorization, images: images() });
    const report = outcomes(await run(tenant, 'p1'));
    expect(report).toMatchObject({ discovery: 'ok', introspection: 'ok' });
    expect(report['client-assertion']).toMatch(
      kind === 'epic' ? /^ok$/ : /^skipped: each introspection carries/,
    );
    expect(report['patient-read']).toMatch(
      kind === 'epic' ? /^ok$/ : /^skipped: Patients are read with each caller/,
    );
    const secret = { ...authorization, client: { client_id: 'imaging', client_secret: 'another secret' } };
    if (kind === 'meditech') {
      expect(
        outcomes(await run(tenantOf({ authorization: secret, images: images() })))['introspection'],
      ).toMatch(/^failed: .*401: imaging may not ask about tokens by client_secret_basic/);
    }
    await vendor.close();
  });

  test('smart-on-fhir-jwt: the keys are read, and no client is needed', async () => {
    ehr.instead.set('/jwks', [200, { keys: [ehr.client.jwk] }]);
    const authorization = { type: 'smart-on-fhir-jwt', fhirBaseUrl: ehr.fhirBaseUrl };
    expect(outcomes(await run(tenantOf({ authorization, images: images() })))).toMatchObject({
      discovery: 'ok',
      'client-assertion': 'skipped: the tenant has no client of its own, and needs none',
      introspection: 'ok',
    });
  });

  test('smart-on-fhir-independent: checks that need no user', async () => {
    const authorization = {
      type: 'smart-on-fhir-independent',
      fhirBaseUrl: ehr.fhirBaseUrl,
      client: ehr.client,
    };
    expect(outcomes(await run(tenantOf({ authorization, images: images() })))).toMatchObject({
      discovery: 'ok',
      'client-assertion': expect.stringMatching(/^skipped: users sign in at the EHR/),
      introspection: 'ok',
      'patient-read': expect.stringMatching(/^skipped: users sign in at the EHR/),
      'image-source': 'ok',
    });
  });
});

describe('SM-18 npm run check:tenant', () => {
  const check = async (key: string, more: { patient?: string; json?: boolean } = {}) => {
    let written = '';
    const tenants = {
      skipped: [{ key: 'closed', reason: 'mock on a public address' }],
      all: [tenantOf({ authorization: smart(), images: images() })],
    };
    const asked = { key, json: false, ...more };
    const code = await checkTenant(asked, tenants, run, (text) => (written += text));
    return { code, written };
  };

  test('prints a table and ends with 0, or prints the reason of a failure and ends with 1', async () => {
    const good = await check('hospital');
    expect(good.code).toBe(0);
    expect(good.written).toMatch(
      /^hospital: smart-on-fhir, images from dicom-web\n {2}discovery +ok +\d+ ms\n/,
    );
    expect(good.written).toMatch(/\nNothing failed\.\n$/);
    ehr.instead.set('/introspect', [200, { active: true }]);
    const bad = await check('hospital', { patient: 'patient-17' });
    expect(bad.code).toBe(1);
    expect(bad.written).toMatch(
      / introspection +failed +\d+ ms\n +the introspection endpoint answered 200 and says/,
    );
    const json = await check('hospital', { json: true });
    expect(JSON.parse(json.written)).toMatchObject({ tenant: 'hospital', ok: false });
  });

  test('a tenant that was left out: prints the reason', async () => {
    expect(await check('closed')).toEqual({
      code: 1,
      written: 'closed is left out: mock on a public address\n',
    });
  });

  test('the script exists and builds the program that it runs', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: object };
    expect(scripts).toMatchObject({ 'check:tenant': 'node gateway/start.mjs check-tenant' });
  });
});
