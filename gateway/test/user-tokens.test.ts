import type { Bundle, Endpoint } from 'fhir/r4.js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildHouse, type House } from './house.ts';
import { SECRET, vendorServer, type VendorServer } from './vendor-server.ts';

/**
 * Tokens that are of no patient in particular (`user/`, and Meditech's, SM-11) where a study is named by its UID alone:
 * the study says whose it is, and the EHR says to the caller's own token whether that patient may be seen.
 */

const [GEORGE, MARIA] = ['0019540', '0047111'];
let ehr: VendorServer;
let house: House;
let studies: Record<string, string[]>;

beforeAll(async () => {
  process.env['APOLLO_TELEMETRY_DISABLED'] = 'true';
  ehr = await vendorServer('meditech');
  house = await buildHouse(({ images, patients }) => {
    const client = { client_id: 'imaging', client_secret: SECRET };
    const tenant = (type: string, more: object = {}) => ({
      authorization: {
        ...{ type, fhirBaseUrl: ehr.fhirBaseUrl, client, introspectionTtl: 0 },
        ...(type.includes('meditech') && { allowInsecureQuirks: true }),
      },
      clinical: { type: 'store', path: patients },
      images: { type: 'folder', path: images, lookup: 'studies-by-mrn', ...more },
    });
    return {
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
  const { body } = await house.app.inject('/all/dicomweb/studies');
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
  ehr.tokens.set('user-read', { ...active, scope: 'user/ImagingStudy.r' });
  ehr.tokens.set('user-other', { ...active, scope: 'user/Patient.rs' });
  ehr.tokens.set('meditech', { ...active, scope: 'patient/ImagingStudy.rs' });
  ehr.readers.clear();
  ehr.readers.set(GEORGE, new Set(['user', 'user-read', 'user-other', 'meditech']));
});
afterAll(async () => {
  await house?.close();
  await ehr?.close();
});

const georges = () => studies[`MRN-${GEORGE}`]![0]!;
const marias = () => studies[`MRN-${MARIA}`]![0]!;
const get = (url: string, token?: string) =>
  house.app.inject({ url, ...(token && { headers: { authorization: `Bearer ${token}` } }) });
const graphql = (tenant: string, token: string, payload: object) =>
  house.app.inject({
    ...{ method: 'POST', url: `/${tenant}/graphql`, payload },
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
  test.each(PATHS)('%s: the study of a patient whom the EHR shows, and no other', async (path) => {
    const at = (uid: string) => `/${tenant}/${path.replace('UID', uid)}`;
    expect((await get(at(georges()), token)).statusCode).toBe(200);
    const [foreign, unknown] = await Promise.all([get(at(marias()), token), get(at('1.2.3'), token)]);
    expect([foreign.statusCode, foreign.body]).toEqual([404, unknown.body]);
    expect(unknown.statusCode).toBe(404);
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

  test('IA-33 a link is given for what could be retrieved', async () => {
    const ask = (uid: string) =>
      house.app.inject({
        ...{ method: 'POST', url: `/${tenant}/wado/links`, payload: { path: `studies/${uid}` } },
        headers: { authorization: `Bearer ${token}` },
      });
    const { statusCode, body } = await ask(georges());
    expect(statusCode).toBe(201);
    const { url } = JSON.parse(body) as { url: string };
    expect((await get(new URL(url).pathname)).statusCode).toBe(200);
    expect((await ask(marias())).statusCode).toBe(404);
  });

  test('a list still has to name a patient', async () => {
    expect((await get(`/${tenant}/dicomweb/studies`, token)).statusCode).toBe(403);
    expect((await get(`/${tenant}/fhir/ImagingStudy?patient=${GEORGE}`, token)).statusCode).toBe(200);
    expect((await get(`/${tenant}/fhir/ImagingStudy?patient=${MARIA}`, token)).statusCode).toBe(403);
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

test('IA-9 an EHR that is down is 503', async () => {
  ehr.tokens.set('fresh', ehr.tokens.get('user')!);
  ehr.up = false;
  expect((await get(`/user/dicomweb/studies/${georges()}/metadata`, 'fresh')).statusCode).toBe(503);
});

describe('IA-25, IA-26 capabilities of tokens that are of no patient', () => {
  async function address(tenant: string, token: string): Promise<string> {
    const { body } = await get(`/${tenant}/fhir/ImagingStudy?patient=${GEORGE}`, token);
    const { entry = [] } = JSON.parse(body) as Bundle;
    const endpoint = entry.find(({ resource }) => resource?.resourceType === 'Endpoint')!
      .resource as Endpoint;
    const study = entry.find(({ resource }) => JSON.stringify(resource).includes('ImagingStudy'))!.resource!;
    return `${new URL(endpoint.address).pathname}/studies/${study.id}/metadata`;
  }

  test('the Endpoint of a study can be read by its UID, of no other', async () => {
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
