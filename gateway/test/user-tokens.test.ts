import type { Bundle, Endpoint } from 'fhir/r4.js';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEFAULT_LIMITS, type Limits } from '../federation/document/limits.ts';
import { startGatewayAlone, type GatewayAlone } from './gateway-alone.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { SECRET, vendorServer, type VendorServer } from './vendor-server.ts';

/**
 * Tokens without a patient (`user/`, and those of Meditech, SM-11), where a request names a study only by its UID:
 * the study gives the patient, and the EHR decides with the caller's own token whether that patient may be read
 * (IA-9).
 */

const [GEORGE, MARIA] = ['0019540', '0047111'];
let ehr: VendorServer;
let gateway: TestGateway;
let studies: Record<string, string[]>;
const records = mkdtempSync(join(tmpdir(), 'user-tokens-'));

beforeAll(async () => {
  ehr = await vendorServer('meditech');
  gateway = await buildTestGateway(({ images, patients }) => {
    const client = { client_id: 'imaging', client_secret: SECRET };
    const tenant = (type: string, more: object = {}) => ({
      authorization: {
        type,
        fhirBaseUrl: ehr.fhirBaseUrl,
        client,
        introspectionTtl: 0,
        ...(type.includes('meditech') && { allowInsecureQuirks: true }),
      },
      clinical: { type: 'store', path: patients },
      images: { type: 'folder', path: images, lookup: 'studies-by-mrn', ...more },
    });
    const path = join(records, 'record.ndjson');
    writeFileSync(path, RECORD.map((one) => JSON.stringify(one)).join('\n'));
    return {
      'user-record': { ...tenant('smart-on-fhir'), clinical: { type: 'store', path } },
      all: {
        authorization: { type: 'mock', disableAuthzChecks: true },
        images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
      },
      user: tenant('smart-on-fhir'),
      'user-bound': tenant('smart-on-fhir', { retrieve: 'capability' }),
      'user-bearer': tenant('smart-on-fhir', { retrieve: 'bearer-capability' }),
      meditech: tenant('smart-on-fhir-with-meditech-bugfixes'),
      'meditech-bound': tenant('smart-on-fhir-with-meditech-bugfixes', { retrieve: 'capability' }),
    };
  });
  const { body } = await gateway.app.inject('/all/dicomweb/studies');
  studies = {};
  for (const row of JSON.parse(body) as Record<string, { Value: [string] }>[]) {
    (studies[row['00100020']!.Value[0]] ??= []).push(row['0020000D']!.Value[0]);
  }
});
beforeEach(() => {
  ehr.up = true;
  const active = { active: true, client_id: 'app', exp: 4_000_000_000 };
  ehr.tokens.clear();
  ehr.tokens.set('user', { ...active, scope: 'user/ImagingStudy.rs user/Patient.rs' });
  ehr.tokens.set('images', { ...active, scope: 'user/ImagingStudy.rs' });
  ehr.tokens.set('user-read', { ...active, scope: 'user/ImagingStudy.r' });
  ehr.tokens.set('user-other', { ...active, scope: 'user/Patient.rs' });
  ehr.tokens.set('meditech', { ...active, scope: 'patient/ImagingStudy.rs' });
  ehr.readers.clear();
  ehr.finders.clear();
  ehr.readers.set(GEORGE, new Set(['user', 'images', 'user-read', 'user-other', 'meditech']));
});
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
  rmSync(records, { recursive: true });
});

/** A record with a study of each patient. */
const RECORD = [GEORGE, MARIA].flatMap((id) => [
  { resourceType: 'Patient', id },
  {
    resourceType: 'ImagingStudy',
    id: `of-${id}`,
    status: 'registered',
    subject: { reference: `Patient/${id}` },
  },
]);

const georges = () => studies[`MRN-${GEORGE}`]![0]!;
const marias = () => studies[`MRN-${MARIA}`]![0]!;
const get = (url: string, token?: string) =>
  gateway.app.inject({ url, ...(token && { headers: { authorization: `Bearer ${token}` } }) });
const graphql = (tenant: string, token: string, payload: object) =>
  gateway.app.inject({
    method: 'POST',
    url: `/${tenant}/graphql`,
    payload,
    headers: { authorization: `Bearer ${token}` },
  });

const PATHS = [
  'dicomweb/studies/UID/metadata',
  'dicomweb/studies/UID',
  'dicomweb/studies/UID/series',
  'fhir/ImagingStudy/UID',
];

describe.each([
  ['user', 'user'],
  ['meditech', 'meditech'],
])('%s', (tenant, token) => {
  test.each(PATHS)('IA-9 %s: only the study of a patient that the EHR shows', async (path) => {
    const at = (uid: string) => `/${tenant}/${path.replace('UID', uid)}`;
    expect((await get(at(georges()), token)).statusCode).toBe(200);
    const [foreign, unknown] = await Promise.all([get(at(marias()), token), get(at('1.2.3'), token)]);
    expect([foreign.statusCode, foreign.body]).toEqual([404, unknown.body]);
    expect(unknown.statusCode).toBe(404);
  });

  test('IA-9 a patient whom the EHR finds and refuses to read is out of reach, in the same requests as nobody', async () => {
    const finding = `finding-${token}`;
    ehr.tokens.set(finding, ehr.tokens.get(token)!);
    ehr.finders.set(MARIA, new Set([finding]));
    const asked = async (request: () => ReturnType<typeof get>) => {
      ehr.seen.length = 0;
      const { statusCode, body } = await request();
      const patients = ehr.seen.filter((line) => line.includes('/Patient'));
      return { statusCode, body, patients: patients.map((line) => line.replace(/Patient.*/, 'Patient')) };
    };
    for (const path of [...PATHS, 'fhir/Endpoint/UID']) {
      const at = (uid: string) => get(`/${tenant}/${path.replace('UID', uid)}`, finding);
      const foreign = await asked(() => at(marias()));
      expect(foreign).toEqual(await asked(() => at('1.2.3')));
      expect(foreign.statusCode).toBe(404);
    }
    ehr.readers.set(MARIA, new Set(['reading']));
    ehr.tokens.set('reading', ehr.tokens.get(token)!);
    expect((await get(`/${tenant}/${PATHS[0]!.replace('UID', marias())}`, 'reading')).statusCode).toBe(200);
  });

  test.each<[string, (uid: string) => object]>([
    ['literal', (uid) => ({ query: `{ ImagingStudy(id: "${uid}") { id } }` })],
    [
      'variable',
      (uid) => ({ query: 'query($uid: ID!) { ImagingStudy(id: $uid) { id } }', variables: { uid } }),
    ],
  ])('GraphQL ImagingStudy(id:) by %s', async (_what, ask) => {
    const seen = async (uid: string) => {
      const { body } = await graphql(tenant, token, ask(uid));
      const { data, errors = [] } = JSON.parse(body) as {
        data?: { ImagingStudy?: { id: string } };
        errors?: { message: string; extensions: { code: string } }[];
      };
      return {
        id: data?.ImagingStudy?.id,
        errors: errors.map(({ message, extensions }) => [message, extensions.code]),
      };
    };
    expect(await seen(georges())).toEqual({ id: georges(), errors: [] });
    const foreign = await seen(marias());
    expect(foreign.id).toBeUndefined();
    expect(foreign).toEqual(await seen('1.2.3'));
  });

  test('IA-33 a link is given for a study that the caller may retrieve', async () => {
    const ask = (uid: string) =>
      gateway.app.inject({
        method: 'POST',
        url: `/${tenant}/wado/links`,
        payload: { path: `studies/${uid}` },
        headers: { authorization: `Bearer ${token}` },
      });
    const { statusCode, body } = await ask(georges());
    expect(statusCode).toBe(201);
    const { url } = JSON.parse(body) as { url: string };
    expect((await get(new URL(url).pathname)).statusCode).toBe(200);
    expect((await ask(marias())).statusCode).toBe(404);
  });

  test('IA-9 a list has to name a patient', async () => {
    expect((await get(`/${tenant}/dicomweb/studies`, token)).statusCode).toBe(403);
    expect((await get(`/${tenant}/fhir/ImagingStudy?patient=${GEORGE}`, token)).statusCode).toBe(200);
    expect((await get(`/${tenant}/fhir/ImagingStudy?patient=${MARIA}`, token)).statusCode).toBe(403);
  });
});

describe.each(['user', 'user-read'])('IA-34 a study by its logical id in the record, token %s', (token) => {
  const tenant = 'user-record';
  const seen = async (id: string) => {
    const rest = await get(`/${tenant}/fhir/ImagingStudy/${id}`, token);
    const answers = await Promise.all(
      [
        { query: `{ ImagingStudy(id: "${id}") { id } }` },
        { query: 'query($id: ID!) { ImagingStudy(id: $id) { id } }', variables: { id } },
      ].map((payload) => graphql(tenant, token, payload)),
    );
    const bodies = answers.map(({ body }) => body.replaceAll(id, 'ID'));
    return { status: rest.statusCode, body: rest.body.replaceAll(id, 'ID'), bodies };
  };

  test('of a patient whom the EHR shows', async () => {
    const { status, bodies } = await seen(`of-${GEORGE}`);
    const found = '{"data":{"ImagingStudy":{"id":"ID"}}}';
    expect([status, bodies.map((one) => one.trim())]).toEqual([200, [found, found]]);
  });

  test('IA-7 of another patient it is as one that does not exist', async () => {
    const foreign = await seen(`of-${MARIA}`);
    expect(foreign.status).toBe(404);
    expect(foreign).toEqual(await seen('nothing'));
    // Nor does it give access to a patient who has the id of a study.
    expect((await seen(GEORGE)).status).toBe(404);
  });
});

test('IA-9 IA-34 without the scope, or while the EHR is away, no study is read by its logical id', async () => {
  expect((await get(`/user-record/fhir/ImagingStudy/of-${GEORGE}`, 'user-other')).statusCode).toBe(403);
  await get(`/user-record/fhir/ImagingStudy/of-${MARIA}`, 'images');
  ehr.up = false;
  const answer = await get(`/user-record/fhir/ImagingStudy/of-${GEORGE}`, 'images');
  expect([502, 503]).toContain(answer.statusCode);
});

describe('GraphQL: the named patients are read from the document as it is executed', () => {
  const ask = (payload: object, path = 'graphql', token = 'images') =>
    gateway.app.inject({
      method: 'POST',
      url: `/user/${path}`,
      payload,
      headers: { authorization: `Bearer ${token}` },
    });
  const ROOT = 'ImagingStudyList';
  const studies = (patient: string) => `{ Patient(id: "${patient}") { ${ROOT} { id } } }`;

  test.each<[string, { query: string; variables?: object; operationName?: string }]>([
    ['with a list', { query: `{ ${ROOT}(patient: ["${GEORGE}"]) { id } }` }],
    ['with a default', { query: `query($p: ID! = "${GEORGE}") { Patient(id: $p) { ${ROOT} { id } } }` }],
    [
      'with a list as a variable',
      { query: `query($p: [String!]) { ${ROOT}(patient: $p) { id } }`, variables: { p: [GEORGE] } },
    ],
  ])('a document %s', async (_what, payload) => {
    for (const path of ['graphql', 'fhir/$graphql', 'fhir/%24graphql']) {
      const { statusCode, body } = await ask(payload, path);
      expect([statusCode, body]).toEqual([200, expect.stringContaining(`"${georges()}"`)]);
      expect(body).not.toContain('"errors"');
    }
  });

  test.each([
    ['that has too many tokens', { query: studies(GEORGE) + padding(8000) }, /token/i],
    ['that does not parse', { query: '{ Patient(id: ' }, /Syntax/],
    ['that is empty', { query: '' }, /non-empty/],
  ])('a document %s is 400, not 403', async (_what, payload, message) => {
    const { statusCode, body } = await ask(payload);
    expect(statusCode).toBe(400);
    expect(body).toMatch(message);
  });

  test('FG-13 a persisted document names the patients of its text', async () => {
    const query = studies(GEORGE);
    const sha256Hash = createHash('sha256').update(query).digest('hex');
    const extensions = { persistedQuery: { version: 1, sha256Hash } };
    expect((await ask({ extensions })).body).toContain('PERSISTED_QUERY_NOT_FOUND');
    expect((await ask({ query, extensions })).statusCode).toBe(200);
    const search = new URLSearchParams({ extensions: JSON.stringify(extensions) }).toString();
    for (const { body } of [await ask({ extensions }), await get(`/user/graphql?${search}`, 'images')]) {
      expect(body).toContain(`"${georges()}"`);
    }
    ehr.tokens.set('unread', ehr.tokens.get('images')!);
    expect((await ask({ extensions }, 'graphql', 'unread')).statusCode).toBe(403);
  });

  test('FG-13 a trusted document gives access to the patient of its variables, by its documentId', async () => {
    const manifest = readFileSync(new URL('../../schema/trusted-documents.json', import.meta.url), 'utf8');
    const { operations } = JSON.parse(manifest) as { operations: { id: string; name: string }[] };
    const { id: documentId } = operations.find(({ name }) => name === 'MeasurementsOverTime')!;
    const sent = { documentId, variables: { id: GEORGE } };
    expect((await ask(sent)).body).toContain('{"Patient":{"ImagingStudyList":[');
    const search = new URLSearchParams({ documentId, variables: JSON.stringify(sent.variables) }).toString();
    expect((await get(`/user/graphql?${search}`, 'images')).body).toContain(
      '{"Patient":{"ImagingStudyList":[',
    );
    ehr.tokens.set('unread', ehr.tokens.get('images')!);
    expect((await ask(sent, 'graphql', 'unread')).statusCode).toBe(403);
  });

  test('an unknown persisted document gives access to no patient', async () => {
    const extensions = { persistedQuery: { version: 1, sha256Hash: '0'.repeat(64) } };
    const { body } = await ask({ extensions, variables: { id: GEORGE } });
    expect(body).toContain('PERSISTED_QUERY_NOT_FOUND');
    expect(body).not.toContain('"data"');
  });
});

/** Another operation, of a little more than this many lexical tokens. */
const padding = (tokens: number) =>
  ` query Padding { ImagingStudyList(identifier: [${'"x" '.repeat(tokens)}]) { id } }`;

describe('with other limits of documents', () => {
  let alone: GatewayAlone;

  beforeAll(async () => {
    const larger = Object.entries(DEFAULT_LIMITS).map(([name, value]) => [name, 20 * (value as number)]);
    alone = await startGatewayAlone({ limits: Object.fromEntries(larger) as Limits });
    alone.ehr.patients.set('p1', { resourceType: 'Patient', id: 'p1' });
    alone.ehr.tokens.set('user', { scope: 'user/*.rs', client_id: 'app' });
  });
  afterAll(() => alone.close());

  test.each([
    ['graphql', 'query A { Patient(id: "p1") { ImagingStudyList { description } } }'],
    ['fhir/$graphql', 'query A { Patient(id: "p1") { ImagingStudyList { description } } }'],
    ['fhir/Patient/p1/$graphql', 'query A { ImagingStudyList { description } }'],
  ])('a document of 9,000 tokens at %s', async (path, query) => {
    const response = await fetch(`${alone.url}/smart/${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer user', 'content-type': 'application/json' },
      body: JSON.stringify({ query: query + padding(9000), operationName: 'A' }),
    });
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('CONFIDENTIAL')]);
  });
});

test.each<[token: string, mine: number, other: number]>([
  ['user-read', 200, 404],
  ['user-other', 403, 403],
])('SM-6 the scopes of %s', async (token, mine, other) => {
  const path = (uid: string) => `/user/dicomweb/studies/${uid}/metadata`;
  expect((await get(path(georges()), token)).statusCode).toBe(mine);
  expect((await get(path(marias()), token)).statusCode).toBe(other);
});

test('IA-9 an EHR that is down: 503', async () => {
  ehr.tokens.set('fresh', ehr.tokens.get('user')!);
  ehr.up = false;
  expect((await get(`/user/dicomweb/studies/${georges()}/metadata`, 'fresh')).statusCode).toBe(503);
});

describe('IA-25, IA-26 capabilities of tokens without a patient', () => {
  async function address(tenant: string, token: string): Promise<string> {
    const { body } = await get(`/${tenant}/fhir/ImagingStudy?patient=${GEORGE}`, token);
    const { entry = [] } = JSON.parse(body) as Bundle;
    const endpoint = entry.find(({ resource }) => resource?.resourceType === 'Endpoint')!
      .resource as Endpoint;
    const study = entry.find(({ resource }) => JSON.stringify(resource).includes('ImagingStudy'))!.resource!;
    return `${new URL(endpoint.address).pathname}/studies/${study.id}/metadata`;
  }

  test('the Endpoint of a permitted study can be read by its UID, that of another not', async () => {
    expect((await get(`/user-bound/fhir/Endpoint/${georges()}`, 'user')).statusCode).toBe(200);
    expect((await get(`/user-bound/fhir/Endpoint/${marias()}`, 'user')).statusCode).toBe(404);
  });

  test.each([
    ['user-bound', 'user', true],
    ['user-bearer', 'user', false],
    ['meditech-bound', 'meditech', true],
  ])('%s', async (tenant, token, sent) => {
    const path = await address(tenant, token);
    const ask = () => get(path, sent ? token : undefined);
    expect((await ask()).statusCode).toBe(200);
    if (sent) expect((await get(path)).statusCode).toBe(401);
    ehr.tokens.delete(token);
    expect((await ask()).statusCode).toBe(403);
  });
});

test.each<['GET' | 'POST' | 'OPTIONS' | 'DELETE', string, number]>([
  ['GET', '', 404],
  ['GET', '/studies/1.2.3/nonsense', 404],
  ['POST', '/studies/1.2.3', 405],
  ['DELETE', '/studies/1.2.3', 405],
  ['OPTIONS', '/studies/1.2.3', 204],
])('DW-20 %s /dicomweb%s names no patient, same for any token: %i', async (method, path, status) => {
  const headers = { authorization: 'Bearer user' };
  const { statusCode } = await gateway.app.inject({ method, url: `/user/dicomweb${path}`, headers });
  expect(statusCode).toBe(status);
});
