import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { form, json, set } from '../test/requests.ts';
import { SmartApp } from '../test/smart-app.ts';
import { Browser, REDIRECT, startServer, type Started } from '../test/started.ts';

const DAY = 86_400;
let started: Started;
const clock = { ahead: 0 };
beforeAll(async () => {
  started = await startServer({}, { now: () => Date.now() + clock.ahead });
});
beforeEach(() => void (clock.ahead = 0));
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

const register = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${started.issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const publicApp = { redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none', client_name: 'New' };

/** Returns an app for a registered public client. */
function appOf(id: unknown): SmartApp {
  const app = new SmartApp(started, String(id));
  Object.defineProperty(app, 'authentication', { value: oauth.None() });
  return app;
}

test('registers an app, but no other grant types (RFC 7591)', async () => {
  const answer = await register(publicApp);
  expect(answer.status).toBe(201);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const { client_id: id } = (await answer.json()) as { client_id: string };
  expect((await appOf(id).tokens())['patient']).toBe('p1');
  const greedy = await json(register({ redirect_uris: [REDIRECT], grant_types: ['client_credentials'] }));
  expect(greedy['grant_types']).toEqual(['authorization_code', 'refresh_token']);
});

test.each<[object, string]>([
  [{}, 'invalid_redirect_uri'],
  [{ redirect_uris: [] }, 'invalid_redirect_uri'],
  [{ redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
  [{ redirect_uris: ['https://a.example.org/#f'] }, 'invalid_redirect_uri'],
  [{ redirect_uris: ['http://192.168.1.9:5173/'] }, 'invalid_redirect_uri'],
  [{ redirect_uris: [REDIRECT, 'HTTP://127.0.0.1.nip.io/'] }, 'invalid_redirect_uri'],
  [{ redirect_uris: [REDIRECT], token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
  [{ redirect_uris: [REDIRECT], token_endpoint_auth_method: 'tls_client_auth' }, 'invalid_client_metadata'],
  [{ redirect_uris: [REDIRECT], id_token_signed_response_alg: 'HS256' }, 'invalid_client_metadata'],
  [{ ...publicApp, client_name: 'Bank\u202Egro.live\u202C' }, 'invalid_client_metadata'],
  [{ ...publicApp, client_name: 'The view\u200Ber' }, 'invalid_client_metadata'],
  [{ ...publicApp, client_name: 'The\u00A0viewer' }, 'invalid_client_metadata'],
  [{ ...publicApp, client_name: 'The viewer\n' }, 'invalid_client_metadata'],
  [{ ...publicApp, client_name: '\u3164' }, 'invalid_client_metadata'],
  [{ ...publicApp, client_name: ' ' }, 'invalid_client_metadata'],
])('refuses %j with %s', async (body, error) => {
  const refused = await register(body);
  expect([refused.status, await refused.json()]).toMatchObject([400, { error }]);
});

describe('refuses a registration by a page of another site', () => {
  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonx'])(
    'as %s, which a page may send without CORS preflight: 415',
    async (type) => {
      const answer = await register(publicApp, { 'content-type': type });
      expect(answer.status).toBe(415);
      expect(await answer.json()).toMatchObject({ error: 'invalid_request' });
    },
  );
  test.each([
    [{ origin: 'https://evil.example.org' }],
    [{ origin: 'null' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
  ] as [Record<string, string>][])('with %j: 403', async (headers) => {
    const answer = await register(publicApp, headers);
    expect(answer.status).toBe(403);
    expect(await answer.json()).toMatchObject({
      error: 'access_denied',
      error_description: expect.stringMatching(/localhost.*a command/s) as string,
    });
  });
  test('but not by our own pages', async () => {
    const own = { origin: new URL(started.issuer).origin, 'sec-fetch-site': 'same-origin' };
    expect((await register(publicApp, own)).status).toBe(201);
  });
});

describe('an app in development registers itself from its page on this machine', () => {
  const page = 'http://localhost:5173';
  const from = { origin: page, 'sec-fetch-site': 'cross-site' };

  test.each([page, 'http://127.0.0.1:3000', 'http://[::1]:3000', 'https://localhost'])(
    'at %s: 201',
    async (origin) => {
      const body = { ...publicApp, redirect_uris: [`${origin}/`, `${origin}/callback`] };
      expect((await register(body, { ...from, origin })).status).toBe(201);
    },
  );
  test.each([
    ['http://localhost:5174/'],
    ['https://evil.example.org/'],
    ['https://localhost:5173.evil.example.org/'],
    ['org.example.app:/done'],
    ['no URL'],
  ])('but not with %s, which is of another origin: 400 that says so', async (uri) => {
    const answer = await register({ ...publicApp, redirect_uris: [`${page}/`, uri] }, from);
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { error: 'invalid_redirect_uri', error_description: expect.stringContaining(page) as string },
    ]);
  });
  test.each(['http://localhost.evil.example.org', 'http://127.0.0.1.nip.io', 'http://192.168.0.2:5173'])(
    'a page at %s is not of this machine: 403',
    async (origin) => {
      const body = { ...publicApp, redirect_uris: [`${origin}/`] };
      expect((await register(body, { ...from, origin })).status).toBe(403);
    },
  );
});

describe('a registration is valid for 30 days after its last use', () => {
  const signInPage = async (id: unknown) =>
    (await new Browser(started.issuer).open(await appOf(id).url('openid'))).html;

  test('the answer has its time, and the end of the secret', async () => {
    const now = Date.now() / 1000;
    const confidential = await json(register({ redirect_uris: [REDIRECT] }));
    expect(Number(confidential['client_id_issued_at']) - now).toBeLessThan(60);
    const left = Number(confidential['client_secret_expires_at']) - now;
    expect(Math.abs(left - 30 * DAY)).toBeLessThan(60);
    expect(await json(register(publicApp))).not.toHaveProperty('client_secret_expires_at');
  });

  test('an unused registration expires and is removed', async () => {
    const { client_id: id } = await json(register(publicApp));
    const count = () => started.server.state.count('demo', 'Client');
    const before = await count();
    clock.ahead = 29 * DAY * 1000;
    expect(await signInPage(id)).toContain('name="account"');
    clock.ahead = (30 * DAY + 120) * 1000;
    expect(await signInPage(id)).toContain('client is invalid');
    expect(await count()).toBeLessThan(before);
  });

  test('a registration in use is renewed, with its secret', async () => {
    const { client_id: id, client_secret: secret } = await json(register({ redirect_uris: [REDIRECT] }));
    const app = new SmartApp(started, String(id));
    Object.defineProperty(app, 'authentication', { value: oauth.ClientSecretBasic(String(secret)) });
    clock.ahead = 20 * DAY * 1000;
    const tokens = await app.tokens();
    clock.ahead = 45 * DAY * 1000;
    expect(await app.introspect('x')).toEqual({ active: false });
    expect(await signInPage(id)).toContain('name="account"');
    expect(tokens.refresh_token).toBeDefined();
  });
});

test('signs an id_token with the algorithm that the client has registered', async () => {
  for (const algorithm of ['ES384', 'RS384', 'RS256']) {
    const { client_id: id } = await json(register({ ...publicApp, id_token_signed_response_alg: algorithm }));
    const app = appOf(id);
    Object.defineProperty(app, 'client', {
      value: { client_id: id, id_token_signed_response_alg: algorithm },
    });
    const { id_token: token, scope } = await app.tokens({ scope: 'openid fhirUser' });
    expect(set(scope)).toEqual(set('openid fhirUser'));
    expect(JSON.parse(atob(token!.split('.')[0]!))).toMatchObject({ alg: algorithm });
  }
});

test('answers 429 to too many registrations; clients of the tenant file still work', async () => {
  const clients = started.server.state.model('demo', 'Client');
  for (let index = 0; index < 1000; index++) await clients.upsert(`filler-${index}`, {}, 60);
  const answer = await register(publicApp);
  expect(answer.status).toBe(429);
  expect(await answer.json()).toMatchObject({ error: 'temporarily_unavailable' });
  for (let index = 0; index < 1000; index++) await clients.destroy(`filler-${index}`);
  expect((await form(started, '/token', { grant_type: 'x', client_id: 'public-app' })).status).toBe(400);
});
