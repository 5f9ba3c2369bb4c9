import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EHR_CALLBACK } from './ehr-login/ehr-client.ts';
import { authorizationServer } from './server.ts';
import { json } from './test/requests.ts';
import { SmartApp } from './test/smart-app.ts';
import { PEOPLE, SECRET, startServer, type Started } from './test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

test('URLs of keys and style work, and no private key is published', async () => {
  const metadata = await new SmartApp(started).metadata();
  const { keys } = (await (await fetch(metadata.jwks_uri!)).json()) as { keys: Record<string, string>[] };
  expect(keys.map(({ kty }) => kty).sort()).toEqual(['EC', 'RSA']);
  for (const key of keys) expect(key).not.toHaveProperty('d');
  expect(await json(fetch(String((await new SmartApp(started).tokens())['smart_style_url'])))).toHaveProperty(
    'color_text',
  );
});

test('only this account can read keys and state, and they contain no token', async () => {
  const tokens = await new SmartApp(started).tokens();
  const folder = join(started.dataDir, 'oauth');
  for (const name of ['demo.keys.json', 'state.sqlite']) {
    expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
  }
  const stored = ['state.sqlite', 'state.sqlite-wal'].map((name) =>
    readFileSync(join(folder, name), 'latin1'),
  );
  for (const secret of [tokens.access_token, tokens.refresh_token!]) {
    expect(stored.join('').includes(secret)).toBe(false);
  }
});

test('tokens survive a restart: another server with the same folder knows them', async () => {
  const tokens = await new SmartApp(started).tokens();
  const later = authorizationServer({
    baseUrl: started.base.replace('/demo', ''),
    dataDir: started.dataDir,
    people: async () => PEOPLE,
    now: Date.now,
    onError: () => undefined,
  });
  expect(await later.verifyOwnToken(started.tenant, tokens.access_token)).toMatchObject({ patient: 'p1' });
  await later.close();
});

test.each([
  ['GET', '/token', 404],
  ['GET', '/nothing', 404],
  ['GET', '/%2e%2e/graphql', 404],
  ['POST', '/authorize', 404],
])('answers %s %s with %i', async (method, path, status) => {
  expect((await fetch(`${started.issuer}${path}`, { method })).status).toBe(status);
});

const large = 'x'.repeat(20_000);
const huge = 'x'.repeat(60_000);
const basic = { authorization: `Basic ${btoa(`secret-app:${SECRET}`)}` };
const html = { accept: 'text/html' };
test.each<[string, string, number, string, RequestInit]>([
  [
    'a refresh of 20 kB',
    '/token',
    413,
    'invalid_request',
    body({ grant_type: 'refresh_token', refresh_token: large, client_id: 'public-app' }),
  ],
  ['a form of 60 kB', '/token', 413, 'invalid_request', body({ grant_type: huge })],
  ['60 kB with a secret', '/token', 413, 'invalid_request', body({ grant_type: huge }, basic)],
  ['introspection of 60 kB', '/introspect', 413, 'invalid_request', body({ token: huge }, basic)],
  ['a revocation of 60 kB', '/revoke', 413, 'invalid_request', body({ token: huge }, basic)],
  ['a launch of 20 kB', '/launch', 413, 'invalid_request', { method: 'POST', body: large }],
  ['a registration of 20 kB', '/register', 413, 'invalid_request', { method: 'POST', body: large }],
  ['an interaction of 20 kB', '/interaction/x', 413, 'invalid_request', body({ account: large })],
  ['a launch without JSON', '/launch', 415, 'invalid_request', { method: 'POST', body: '{}' }],
  [
    'JSON to the token endpoint',
    '/token',
    400,
    'invalid_request',
    { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } },
  ],
  ['a browser at the token endpoint', '/token', 400, 'invalid_request', body({ grant_type: 'x' }, html)],
  [
    'a browser at the token endpoint with a wrong secret',
    '/token',
    401,
    'invalid_client',
    body({ grant_type: 'x', client_id: 'secret-app', client_secret: 'x' }, html),
  ],
  ['a revocation without a client', '/revoke', 400, 'invalid_request', body({ token: 'x' })],
  [
    'a revocation with a wrong secret',
    '/revoke',
    401,
    'invalid_client',
    body({ token: 'x', client_id: 'secret-app', client_secret: 'x' }),
  ],
  ['introspection without a client', '/introspect', 400, 'invalid_request', body({ token: 'x' })],
  [
    'introspection with an invented token',
    '/introspect',
    401,
    'invalid_token',
    body({ token: 'x' }, { authorization: 'Bearer x' }),
  ],
  ['userinfo without a token', '/userinfo', 401, 'invalid_request', {}],
  [
    'userinfo with an invented token',
    '/userinfo',
    401,
    'invalid_token',
    { headers: { authorization: 'Bearer x' } },
  ],
  ['an authorization without a client', '/authorize', 400, 'invalid_request', {}],
  ['an authorization that has ended', '/authorize/x', 400, 'invalid_request', {}],
  ['the token endpoint by GET', '/token', 404, 'invalid_request', {}],
  ['the token endpoint in capitals', '/TOKEN', 404, 'invalid_request', body({ grant_type: 'x' })],
  ['an unknown path', '/nothing', 404, 'invalid_request', {}],
])('errors follow RFC 6749 §5.2 and are not stored: %s', async (_, path, status, error, init) => {
  const answer = await fetch(`${started.issuer}${path}`, init);
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toContain('application/json');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const text = await answer.text();
  const json = JSON.parse(text) as { error: string; error_description?: string };
  expect(Object.keys(json).filter((key) => !/^(error|error_uri|error_description|iss)$/.test(key))).toEqual(
    [],
  );
  expect(json.error).toBe(error);
  expect(json.error_description).toMatch(/^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/);
});

test('answers for an unknown tenant in the same form', async () => {
  const unknown = await fetch(`${started.base.replace(/demo$/, 'unknown')}/oauth/token`, { method: 'POST' });
  expect([unknown.status, await unknown.json()]).toEqual([
    404,
    {
      error: 'invalid_request',
      error_description: 'none',
      error_uri: expect.stringMatching(/\/prefix\/errors#not_found$/),
    },
  ]);
});

test('shows a page instead of JSON to a person’s browser', async () => {
  for (const path of ['/authorize', '/interaction/x', `${EHR_CALLBACK}?state=x`]) {
    const answer = await fetch(`${started.issuer}${path}`, { headers: html });
    expect([path, answer.status]).toEqual([path, 400]);
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await answer.text()).toContain('<h1>');
  }
});

test('a dynamic tenant has no authorization server: 501', async () => {
  const dynamic = { ...started.tenant, key: 'hash', path: 'dyn/encoded', dynamic: true };
  await expect(started.server.of(dynamic)).rejects.toMatchObject({ code: 'not_implemented' });
  await expect(started.server.verifyOwnToken(dynamic, 't')).rejects.toMatchObject({ status: 501 });
  expect(() => started.server.smartConfiguration(dynamic)).toThrow('dynamic tenant');
});

function body(fields: Record<string, string>, headers: Record<string, string> = {}): RequestInit {
  return { method: 'POST', body: new URLSearchParams(fields), headers };
}
