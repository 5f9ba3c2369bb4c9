/** Nothing that a client sends beside its token has an effect: every API answers byte for byte as without it. */
import type { Bundle, Endpoint, ImagingStudy } from 'fhir/r4.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Access } from '../../schema/access/access.ts';
import { seal, sealingKey } from '../../schema/access/access.ts';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { authorizationServer, type AuthorizationServer } from './authorization-server.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';

const OTHER = 'demo-maria-alvarez';
const EVERYBODY: Access = {
  tenant: 'smart',
  client: 'intruder',
  patients: 'all',
  permissions: [{ level: 'system', type: '*', interactions: 'rs' }],
  expires: Math.floor(Date.now() / 1000) + 3600,
};

let ehr: AuthorizationServer;
let gateway: TestGateway;
let study: string;
let capability: string;
const smuggled: Record<string, string> = {};

beforeAll(async () => {
  ehr = await authorizationServer();
  const launched = { client_id: 'app', patient: DEMO_PATIENT, exp: EVERYBODY.expires };
  ehr.tokens.set('own', { ...launched, scope: 'patient/*.rs' });
  ehr.tokens.set('short', { ...launched, scope: 'patient/Observation.rs' });
  ehr.tokens.set('victim', { ...launched, patient: OTHER, scope: 'patient/*.rs' });
  gateway = await buildTestGateway(({ images, patients }) => {
    const tenant = (retrieve: string) => ({
      authorization: { type: 'smart-on-fhir', fhirBaseUrl: ehr.fhirBaseUrl, client: ehr.client },
      clinical: { type: 'store', path: patients },
      images: { type: 'folder', path: images, lookup: 'all-studies-on-server', retrieve },
    });
    return { smart: tenant('token'), bound: tenant('capability') };
  });
  const found = await gateway.app.inject({ url: '/bound/fhir/ImagingStudy', headers: bearer('own') });
  const entries = found.json<Bundle>().entry!;
  const { id, endpoint } = entries[0]!.resource as ImagingStudy;
  const named = entries.find(({ fullUrl }) => fullUrl === endpoint![0]!.reference)!.resource as Endpoint;
  study = id!;
  capability = new URL(named.address).pathname;

  const plain = JSON.stringify(EVERYBODY);
  const encoded = Buffer.from(plain).toString('base64url');
  // The only form in which an Access travels, sealed by a foreign key.
  const sealed = await seal(EVERYBODY, [sealingKey('x'.repeat(32))], 'imaging', Date.now() / 1000);
  const values: [string, string[]][] = [
    [plain, ['access', 'x-access', 'x-access-json']],
    [encoded, ['x-access-value', 'x-amzn-oidc-data', 'x-jwt-payload', 'x-endpoint-api-userinfo']],
    [sealed, ['x-sealed-access', 'x-gateway-access', 'x-internal-access']],
    [OTHER, ['x-patient', 'x-patient-id', 'x-user', 'x-forwarded-user', 'remote-user', 'x-remote-user']],
    ['system/*.rs patient/*.rs', ['x-scope', 'x-scopes', 'x-permissions', 'x-forwarded-groups']],
    ['smart', ['x-tenant', 'x-tenant-key']],
    ['victim', ['x-access-token', 'x-forwarded-access-token', 'x-auth-token', 'x-token']],
    ['Bearer victim', ['proxy-authorization', 'x-authorization', 'x-original-authorization']],
    ['access_token=victim; access=all', ['cookie']],
    [`/smart/fhir/Patient/${OTHER}`, ['x-original-url', 'x-rewrite-url', 'x-forwarded-uri']],
    ['evil.example.org', ['x-forwarded-host', 'x-forwarded-server', 'x-forwarded-prefix']],
    ['for=127.0.0.1;host=evil.example.org;proto=https', ['forwarded']],
    ['127.0.0.1', ['x-forwarded-for', 'x-real-ip']],
    ['POST', ['x-http-method-override', 'x-method-override']],
  ];
  for (const [value, names] of values) for (const name of names) smuggled[name] = value;
}, 60_000);
afterAll(async () => {
  await gateway?.close();
  await ehr?.close();
});

const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

const query = (patient: string) => `{ Patient(id: "${patient}") { birthDate ConditionList { id } } }`;
const REQUESTS: Record<string, () => { url: string; payload?: object }> = {
  'FHIR read': () => ({ url: `/smart/fhir/Patient/${DEMO_PATIENT}` }),
  'FHIR read of another': () => ({ url: `/smart/fhir/Patient/${OTHER}` }),
  'FHIR search': () => ({ url: '/smart/fhir/Condition' }),
  'FHIR search for another': () => ({ url: `/smart/fhir/ImagingStudy?patient=${OTHER}` }),
  'FHIR imaging': () => ({ url: '/smart/fhir/ImagingStudy?_count=2' }),
  'FHIR discovery': () => ({ url: '/smart/fhir/.well-known/smart-configuration' }),
  GraphQL: () => ({ url: '/smart/graphql', payload: { query: query(DEMO_PATIENT) } }),
  'GraphQL for another': () => ({ url: '/smart/graphql', payload: { query: query(OTHER) } }),
  QIDO: () => ({ url: '/smart/dicomweb/studies' }),
  'QIDO for another': () => ({ url: '/smart/dicomweb/studies?PatientID=x' }),
  WADO: () => ({ url: `/smart/dicomweb/studies/${study}/metadata` }),
  capability: () => ({ url: `${capability}/studies/${study}/metadata` }),
  'capability beyond': () => ({ url: `${capability}/studies` }),
  'self-test': () => ({ url: '/smart/self-test' }),
};
const TOKENS = [undefined, 'own', 'short', 'made-up'] as const;

async function ask(request: string, headers: Record<string, string>) {
  const { url, payload } = REQUESTS[request]!();
  const answer = await gateway.app.inject({
    url,
    headers,
    ...(payload ? { method: 'POST', payload } : { method: 'GET' }),
  });
  const { 'www-authenticate': challenge, location, 'content-type': type } = answer.headers;
  return { status: answer.statusCode, challenge, location, type, body: answer.rawPayload.toString('latin1') };
}

describe.each(Object.keys(REQUESTS))('IA-9 %s', (request) => {
  test.each(TOKENS)('with token %s: no header changes the answer', async (token) => {
    const without = await ask(request, bearer(token));
    expect(await ask(request, { ...bearer(token), ...smuggled })).toEqual(without);
  });
});

test('the compared answers differ by token: an own token is accepted by each API, others are not, and none gives another patient', async () => {
  const statuses = (token?: string) =>
    Promise.all(
      ['FHIR read', 'FHIR search', 'QIDO', 'WADO', 'capability', 'FHIR read of another'].map(
        async (request) => (await ask(request, bearer(token))).status,
      ),
    );
  expect(await statuses('own')).toEqual([200, 200, 200, 200, 200, 403]);
  expect(await statuses('short')).toEqual([403, 403, 403, 403, 403, 403]);
  expect(await statuses()).toEqual([401, 401, 401, 401, 401, 401]);
});

test.each(['extensions', 'variables', 'context', 'access'])(
  'IA-9 an Access in %s of a GraphQL request has no effect',
  async (member) => {
    const asked = (more: object) =>
      gateway.app.inject({
        method: 'POST',
        url: '/smart/graphql',
        headers: bearer('own'),
        payload: { query: query(OTHER), ...more },
      });
    const answer = await asked({ [member]: { access: EVERYBODY, clinical: { access: EVERYBODY } } });
    expect(answer.body).toBe((await asked({})).body);
    expect(answer.body).toContain('"forbidden"');
  },
);
