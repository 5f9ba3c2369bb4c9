import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertion, form, json } from './test/requests.ts';
import { SmartApp } from './test/smart-app.ts';
import { SECRET, startServer, type Started } from './test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

test.each([
  ['backend', 'system/*.rs', 'system/*.rs'],
  ['backend', 'system/Patient.read', 'system/Patient.read'],
  ['limited-backend', 'system/ImagingStudy.rs system/Patient.rs', 'system/ImagingStudy.rs'],
  ['limited-backend', 'system/ImagingStudy.r', 'system/ImagingStudy.r'],
])('backend service %s requests %s and gets %s (SMART App Launch §5)', async (id, asked, granted) => {
  const answer = await json(new SmartApp(started, id).backend(asked));
  expect(answer).toEqual({
    access_token: expect.any(String),
    expires_in: 300,
    scope: granted,
    token_type: 'Bearer',
  });
  expect(await started.server.verifyOwnToken(started.tenant, String(answer['access_token']))).toEqual({
    active: true,
    client_id: id,
    exp: expect.any(Number),
    iat: expect.any(Number),
    iss: started.issuer,
    aud: `${started.base}/fhir`,
    scope: granted,
    token_type: 'Bearer',
  });
});

const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const service = (client_assertion: string, more: Record<string, string> = {}) =>
  form(started, '/token', {
    grant_type: 'client_credentials',
    scope: 'system/*.rs',
    client_assertion_type: TYPE,
    client_assertion,
    ...more,
  });

test('the token endpoint accepts an assertion for its URL once', async () => {
  const jwt = await assertion(started);
  expect((await service(jwt)).status).toBe(200);
  expect(await json(service(jwt))).toMatchObject({ error: 'invalid_client' });
});

test.each<[string, () => Promise<Response>, string]>([
  [
    'another grant type',
    async () => service(await assertion(started), { grant_type: 'x' }),
    'unsupported_grant_type',
  ],
  ['no grant type', async () => service(await assertion(started), { grant_type: '' }), 'invalid_request'],
  [
    'another assertion type',
    async () => service(await assertion(started), { client_assertion_type: 'x' }),
    'invalid_request',
  ],
  ['an invalid assertion', async () => service('x.y.z'), 'invalid_request'],
  ['another audience', async () => service(await assertion(started, { aud: 'https://x' })), 'invalid_client'],
  [
    'an assertion for an hour',
    async () => service(await assertion(started, { exp: Date.now() / 1000 + 3600 })),
    'invalid_client',
  ],
  [
    'an expired assertion',
    async () => service(await assertion(started, { exp: Date.now() / 1000 - 60 })),
    'invalid_client',
  ],
  ['no jti', async () => service(await assertion(started, { jti: undefined })), 'invalid_client'],
  ['another subject', async () => service(await assertion(started, { sub: 'public-app' })), 'invalid_client'],
  [
    'another client’s key',
    async () => service(await assertion(started, { iss: 'confidential-rs', sub: 'confidential-rs' })),
    'invalid_client',
  ],
  ['HMAC with the public key', async () => service(await hmac()), 'invalid_client'],
  ['alg none', async () => service(await unsigned()), 'invalid_client'],
  [
    'no scope that a backend may have',
    async () => service(await assertion(started), { scope: 'patient/*.rs' }),
    'invalid_scope',
  ],
  [
    'a secret in place of a key',
    async () =>
      form(started, '/token', {
        grant_type: 'client_credentials',
        client_id: 'backend',
        client_secret: SECRET,
      }),
    'invalid_client',
  ],
  [
    'a wrong secret',
    async () =>
      form(started, '/token', {
        grant_type: 'client_credentials',
        client_id: 'limited-backend',
        client_secret: 'x',
      }),
    'invalid_client',
  ],
  [
    'an app',
    async () =>
      form(started, '/token', {
        grant_type: 'client_credentials',
        client_id: 'secret-app',
        client_secret: SECRET,
      }),
    'invalid_request',
  ],
])('backend token errors: %s', async (_, ask, error) => {
  const answer = await ask();
  expect(await json(answer)).toMatchObject({ error });
  expect([400, 401]).toContain(answer.status);
});

async function hmac(): Promise<string> {
  const key = new TextEncoder().encode(JSON.stringify(started.keys.ES384.jwk));
  return new SignJWT({
    iss: 'backend',
    sub: 'backend',
    aud: `${started.issuer}/token`,
    jti: 'h',
    exp: Date.now() / 1000 + 60,
  })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(key);
}

async function unsigned(): Promise<string> {
  const [, payload] = (await assertion(started)).split('.');
  return `${btoa('{"alg":"none"}').replaceAll('=', '')}.${payload}.`;
}
