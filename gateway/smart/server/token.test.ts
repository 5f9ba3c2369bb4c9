import { afterAll, beforeAll, expect, test } from 'vitest';
import { form, json } from './test/requests.ts';
import { SmartApp } from './test/smart-app.ts';
import { Browser, REDIRECT, SECRET, startServer, type Started } from './test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

test('a code works once; a second use revokes the tokens of the first (RFC 6749 §4.1.2)', async () => {
  const app = new SmartApp(started);
  const callback = await app.launch();
  const tokens = await app.exchange(callback);
  expect(await app.introspect(tokens.access_token)).toMatchObject({ active: true });
  await expect(app.exchange(callback)).rejects.toMatchObject({ error: 'invalid_grant' });
  expect(await app.introspect(tokens.access_token)).toEqual({ active: false });
  expect((await app.refresh(tokens.refresh_token!)).status).toBe(400);
});

test('of two simultaneous exchanges of a code, at most one succeeds', async () => {
  const app = new SmartApp(started);
  const callback = await app.launch();
  const results = await Promise.allSettled([app.exchange(callback), app.exchange(callback)]);
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
});

test('a refresh may narrow the scope, never widen it', async () => {
  const app = new SmartApp(started, 'secret-app');
  const { refresh_token: token } = await app.tokens({
    scope: 'launch/patient offline_access patient/Observation.rs patient/Condition.rs',
  });
  const basic = { authorization: `Basic ${btoa(`secret-app:${SECRET}`)}` };
  const again = (scope: string) =>
    json(form(started, '/token', { grant_type: 'refresh_token', refresh_token: token!, scope }, basic));
  expect(await again('patient/Condition.rs')).toMatchObject({ scope: 'patient/Condition.rs', patient: 'p1' });
  expect(await again('patient/*.rs')).toMatchObject({ error: 'invalid_scope' });
});

test('online_access gives a refresh token that ends when another user signs in in that browser', async () => {
  const browser = new Browser(started.issuer);
  const app = new SmartApp(started);
  const scope = 'launch/patient online_access patient/*.rs';
  const tokens = await app.tokens({ scope, browser });
  expect((await app.introspect(tokens.access_token))['active']).toBe(true);
  const other = await new SmartApp(started).tokens({ account: 'Patient/p2', browser });
  expect(other['patient']).toBe('p2');
  expect(await app.introspect(tokens.access_token)).toEqual({ active: false });
  expect((await app.refresh(tokens.refresh_token!)).status).toBe(400);
});

test('revoking a refresh token ends its access tokens at once', async () => {
  const app = new SmartApp(started);
  const tokens = await app.tokens();
  expect(await started.server.verifyOwnToken(started.tenant, tokens.access_token)).toBeDefined();
  expect((await app.revoke(tokens.refresh_token!)).status).toBe(200);
  expect(await started.server.verifyOwnToken(started.tenant, tokens.access_token)).toBeUndefined();
  expect(await app.introspect(tokens.access_token)).toEqual({ active: false });
  expect((await app.refresh(tokens.refresh_token!)).status).toBe(400);
});

test('a client cannot revoke another client’s token', async () => {
  const tokens = await new SmartApp(started).tokens();
  await new SmartApp(started, 'secret-app').revoke(tokens.access_token);
  expect(await started.server.verifyOwnToken(started.tenant, tokens.access_token)).toBeDefined();
});

test('a public client may refresh without its client_id, a confidential client may not (RFC 6749 §6)', async () => {
  const silent = async (id: string) => {
    const { refresh_token: token } = await new SmartApp(started, id).tokens();
    return form(started, '/token', { grant_type: 'refresh_token', refresh_token: token! });
  };
  expect(await json(silent('public-app'))).toMatchObject({ patient: 'p1' });
  expect((await silent('secret-app')).status).toBe(400);
  expect((await silent('confidential-es')).status).toBe(400);
});

const answered = { grant_type: 'authorization_code', redirect_uri: REDIRECT, client_id: 'public-app' };
test.each<[string, Record<string, string>, number, string]>([
  ['no grant type', { client_id: 'public-app' }, 400, 'invalid_request'],
  ['an unknown grant type', { grant_type: 'x', client_id: 'public-app' }, 400, 'unsupported_grant_type'],
  [
    'a password',
    { grant_type: 'password', username: 'u', password: 'p', client_id: 'public-app' },
    400,
    'unsupported_grant_type',
  ],
  ['no code', { ...answered, code_verifier: 'x'.repeat(43) }, 400, 'invalid_request'],
  ['an invented code', { ...answered, code: 'made-up', code_verifier: 'x'.repeat(43) }, 400, 'invalid_grant'],
  ['no refresh token', { grant_type: 'refresh_token', client_id: 'public-app' }, 400, 'invalid_request'],
  [
    'an invented refresh token',
    { grant_type: 'refresh_token', refresh_token: 'made-up', client_id: 'public-app' },
    400,
    'invalid_grant',
  ],
  ['an unknown client', { ...answered, client_id: 'nobody', code: 'x' }, 401, 'invalid_client'],
  [
    'a confidential client without its secret',
    { ...answered, client_id: 'secret-app', code: 'x' },
    401,
    'invalid_client',
  ],
  [
    'a wrong secret',
    { ...answered, client_id: 'secret-app', client_secret: 'x', code: 'x' },
    401,
    'invalid_client',
  ],
])('token endpoint, RFC 6749 §5.2: %s answers %i %s', async (_, fields, status, error) => {
  const answer = await form(started, '/token', fields);
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toContain('application/json');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const body = await json(answer);
  expect(Object.keys(body).filter((key) => !/^error/.test(key))).toEqual([]);
  expect(body['error']).toBe(error);
});
