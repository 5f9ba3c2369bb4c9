import * as oauth from 'oauth4webapi';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorizationServer } from './server.ts';
import { form, json } from './test/requests.ts';
import { SmartApp } from './test/smart-app.ts';
import { PEOPLE, REDIRECT, startServer, type Started } from './test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

test('discovery, keys and style: absolute addresses that answer, no private part of a key', async () => {
  const metadata = await new SmartApp(started).metadata();
  const smart = started.server.smartConfiguration(started.tenant);
  for (const name of [
    'issuer',
    'jwks_uri',
    'authorization_endpoint',
    'token_endpoint',
    'introspection_endpoint',
    'revocation_endpoint',
  ] as const) {
    expect(smart[name], name).toBe(metadata[name]);
  }
  const { keys } = (await (await fetch(metadata.jwks_uri!)).json()) as { keys: Record<string, string>[] };
  expect(keys.map(({ kty }) => kty).sort()).toEqual(['EC', 'RSA']);
  for (const key of keys) expect(key).not.toHaveProperty('d');
  expect(await json(fetch(String((await new SmartApp(started).tokens())['smart_style_url'])))).toHaveProperty(
    'color_text',
  );
});

test('registration of an app (RFC 7591), exact redirect URIs, and what it cannot ask for', async () => {
  const register = (body: unknown) =>
    fetch(`${started.issuer}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const answer = await register({
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'none',
    client_name: 'New',
  });
  expect(answer.status).toBe(201);
  const { client_id: id } = (await answer.json()) as { client_id: string };
  const app = new SmartApp(started, id);
  Object.defineProperty(app, 'authentication', { value: oauth.None() });
  expect((await app.tokens())['patient']).toBe('p1');
  for (const [body, error] of [
    [{}, 'invalid_redirect_uri'],
    [{ redirect_uris: [] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['https://a.example.org/#f'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: [REDIRECT], token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
    [{ redirect_uris: [REDIRECT], token_endpoint_auth_method: 'tls_client_auth' }, 'invalid_client_metadata'],
  ] as const) {
    const refused = await register(body);
    expect([refused.status, await refused.json()]).toMatchObject([400, { error }]);
  }
  const greedy = await json(register({ redirect_uris: [REDIRECT], grant_types: ['client_credentials'] }));
  expect(greedy['grant_types']).toEqual(['authorization_code', 'refresh_token']);
});

test('keys and state are for this account only, and hold no token', async () => {
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

test('tokens survive a new process: another server over the same folder knows them', async () => {
  const tokens = await new SmartApp(started).tokens();
  const later = authorizationServer({
    baseUrl: started.base.replace('/demo', ''),
    dataDir: started.dataDir,
    people: async () => PEOPLE,
    now: Date.now,
    onError: () => undefined,
  });
  expect(await later.verifyOwnToken(started.tenant, tokens.access_token)).toMatchObject({ patient: 'p1' });
  later.close();
});

test.each([
  ['GET', '/token', 404],
  ['GET', '/nothing', 404],
  ['GET', '/%2e%2e/graphql', 404],
  ['POST', '/authorize', 404],
])('%s %s is %i', async (method, path, status) => {
  expect((await fetch(`${started.issuer}${path}`, { method })).status).toBe(status);
});

test('a body that is too long is refused', async () => {
  const launch = await fetch(`${started.issuer}/launch`, { method: 'POST', body: `"${'x'.repeat(20_000)}"` });
  expect(launch.status).toBe(413);
  expect((await form(started, '/token', { grant_type: 'x'.repeat(60_000) })).status).toBe(413);
});

test('a dynamic tenant has no authorization server here: 501', async () => {
  const dynamic = { ...started.tenant, key: 'hash', path: 'dyn/encoded', dynamic: true };
  await expect(started.server.of(dynamic)).rejects.toMatchObject({ code: 'not_implemented' });
  await expect(started.server.verifyOwnToken(dynamic, 't')).rejects.toMatchObject({ status: 501 });
  expect(() => started.server.smartConfiguration(dynamic)).toThrow('dynamic tenant');
});
