import { exportJWK, generateKeyPair } from 'jose';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import { App, Journey, portal } from './dual-launch.ts';
import { foreignEhr, PORTAL, type ForeignEhr } from './foreign-ehr.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { timeAwake } from './setup/processor-time.ts';

/**
 * Tokens of a foreign EHR: introspected with every client authentication that it accepts, or verified; and refused
 * once the EHR revokes them.
 */

const TTL = 1;
let ehr: ForeignEhr;
let gateway: TestGateway;

beforeAll(async () => {
  ehr = await foreignEhr(['https://gateway.example.org/callback']);
  const { key, secret, post } = ehr.clients;
  const stranger = await exportJWK((await generateKeyPair('ES384', { extractable: true })).privateKey);
  const smart = (client: object, more: object = {}) => ({
    authorization: {
      type: 'smart-on-fhir',
      fhirBaseUrl: ehr.fhirBaseUrl,
      client,
      introspectionTtl: TTL,
      ...more,
    },
    images: { type: 'folder', path: '/nowhere', lookup: 'all-studies-on-server' },
  });
  gateway = await buildTestGateway(
    () => ({
      private_key_jwt: smart({ ...key, authentication: 'private_key_jwt' }),
      client_secret_basic: smart(secret),
      client_secret_post: smart(post),
      stranger: smart({ client_id: key.client_id, jwkPrivate: stranger, authentication: 'private_key_jwt' }),
      jwt: smart(key, { type: 'smart-on-fhir-jwt' }),
      'jwt-for-others': smart(key, { type: 'smart-on-fhir-jwt', typ: ['JWT'] }),
    }),
    { images: '/nowhere', patients: '/nowhere' },
  );
});
afterAll(async () => {
  await gateway.close();
  await ehr.close();
});
beforeEach(() => {
  ehr.mode = 'up';
  ehr.seen.length = 0;
});

const signIn = (client?: string) => portal(ehr, new Journey(ehr.issuer), `user-of-${DEMO_PATIENT}`, client);

async function status(
  tenant: string,
  token: string,
  path = `/fhir/Patient/${DEMO_PATIENT}`,
): Promise<number> {
  const { statusCode } = await gateway.app.inject({
    url: `/${tenant}${path}`,
    headers: { authorization: `Bearer ${token}` },
  });
  return statusCode;
}

test.each(['private_key_jwt', 'client_secret_basic', 'client_secret_post'])(
  'SM-7, SM-8 introspection with %s; only the patient of the token; the record with the token of the caller',
  async (tenant) => {
    const { access_token: token } = await signIn();
    expect(await status(tenant, token)).toBe(200);
    expect(ehr.seen).toContain('POST /introspect');
    expect(await status(tenant, token, `/fhir/Condition?patient=${DEMO_PATIENT}`)).toBe(200);
    expect(await status(tenant, token, '/fhir/Patient/demo-maria-alvarez')).toBe(403);
    expect(await status(tenant, token, `/dicomweb/studies?PatientID=x`)).not.toBe(401);
    expect(await status(tenant, 'made-up')).toBe(401);
  },
);

test('IA-9 an EHR that does not know our key: 502, and no access', async () => {
  const { access_token: token } = await signIn();
  expect(await status('stranger', token)).toBe(502);
});

test('SM-10 JWT access tokens are verified here, without introspection', async () => {
  const { access_token: token } = await signIn('jwt-portal');
  expect(token.split('.')).toHaveLength(3);
  expect(await status('jwt', token)).toBe(200);
  expect(await status('jwt', token, '/fhir/Patient/demo-maria-alvarez')).toBe(403);
  expect(ehr.seen).not.toContain('POST /introspect');
});

test.each<[string, () => string | undefined | Promise<string | undefined>, string]>([
  ['an opaque token', async () => (await signIn()).access_token, 'jwt'],
  ['an id_token', async () => (await signIn()).id_token, 'jwt'],
  ['an id_token where tokens have the type JWT', async () => (await signIn()).id_token, 'jwt-for-others'],
  [
    'a token signed by another key',
    () =>
      ehr.sign(
        { aud: ehr.fhirBaseUrl, scope: 'patient/*.rs', patient: DEMO_PATIENT },
        { foreign: true, typ: 'at+jwt' },
      ),
    'jwt',
  ],
  [
    'an assertion of our own client (IA-12)',
    () => ehr.sign({ iss: 'a', sub: 'a', aud: `${ehr.issuer}/token` }),
    'jwt-for-others',
  ],
])('IA-5 %s is no access token: 401', async (_what, token, tenant) => {
  expect(await status(tenant, (await token())!)).toBe(401);
});

test('SM-9 a token that the EHR has revoked is refused within introspectionTtl', async () => {
  const { access_token: token } = await signIn();
  expect(await status('private_key_jwt', token)).toBe(200);
  const isRefused = async () => {
    expect(await new App(ehr.fhirBaseUrl, 'portal', PORTAL).revoke(token)).toBe(200);
    await expect.poll(() => status('private_key_jwt', token), { interval: 50 }).toBe(401);
  };
  expect(await timeAwake(isRefused)).toBeLessThan((TTL + 1) * 1000);
});

test('SM-12 an EHR that is down: 503, and the token is not refused', async () => {
  const { access_token: token } = await signIn();
  ehr.mode = 'down';
  expect(await status('private_key_jwt', token)).toBe(503);
  ehr.mode = 'up';
  await expect.poll(() => status('private_key_jwt', token), { timeout: 10_000 }).toBe(200);
});
