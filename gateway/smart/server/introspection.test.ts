import { afterAll, beforeAll, expect, test } from 'vitest';
import { ownAccess } from './own-access.ts';
import { assertion, bearer, form, json } from './test/requests.ts';
import { SmartApp } from './test/smart-app.ts';
import { startServer, type Started } from './test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

test('introspection gives every client the same answer, with the scopes of the token answer (SM-8)', async () => {
  const app = new SmartApp(started, 'confidential-es');
  const tokens = await app.tokens();
  const backend = new SmartApp(started, 'backend');
  const own = String((await json(backend.backend('system/Patient.read')))['access_token']);
  const byApp = await app.introspect(tokens.access_token);
  const byService = await backend.introspect(tokens.access_token);
  const byBearer = await json(form(started, '/introspect', { token: tokens.access_token }, bearer(own)));
  const inProcess = await started.server.verifyOwnToken(started.tenant, tokens.access_token);
  const expected = {
    active: true,
    client_id: 'confidential-es',
    exp: expect.any(Number),
    iat: expect.any(Number),
    patient: 'p1',
    fhirUser: `${started.base}/fhir/Patient/p1`,
    iss: started.issuer,
    sub: 'Patient/p1',
    aud: `${started.base}/fhir`,
    scope: tokens.scope,
    token_type: 'Bearer',
  };
  expect(byApp).toEqual(expected);
  for (const other of [byService, byBearer, inProcess]) expect(other).toEqual(byApp);
});

test.each<[string, () => Promise<Record<string, string>>, number]>([
  ['an app’s token', async () => bearer((await new SmartApp(started).tokens()).access_token), 403],
  ['an invented token', async () => bearer('made-up'), 401],
  ['a client assertion (IA-12)', async () => bearer(await assertion(started)), 401],
  ['two tokens in one header', async () => ({ authorization: 'Bearer a b' }), 400],
])('refuses introspection with %s as bearer token', async (_, headers, status) => {
  const { access_token: token } = await new SmartApp(started).tokens();
  const answer = await form(started, '/introspect', { token }, await headers());
  expect(answer.status).toBe(status);
  expect(await answer.text()).not.toContain('p1');
});

test('an app learns nothing about another app’s token', async () => {
  const tokens = await new SmartApp(started).tokens();
  expect(await new SmartApp(started, 'secret-app').introspect(tokens.access_token)).toEqual({
    active: false,
  });
});

test('accepts no other kind of token as an access token, nor one of another tenant', async () => {
  const tokens = await new SmartApp(started).tokens();
  const other = { ...started.tenant, key: 'other', cacheKey: 'other', path: 'other' };
  const verify = started.server.verifyOwnToken;
  for (const wrong of [tokens.refresh_token!, tokens.id_token!, 'x', '', await assertion(started)]) {
    expect(await verify(started.tenant, wrong)).toBeUndefined();
  }
  expect(await verify(other, tokens.access_token), 'of another tenant').toBeUndefined();
  expect(await verify(started.tenant, tokens.access_token)).toBeDefined();
});

test('userinfo returns the user of a token with openid', async () => {
  const tokens = await new SmartApp(started).tokens();
  const answer = await fetch(`${started.issuer}/userinfo`, { headers: bearer(tokens.access_token) });
  expect(await answer.json()).toEqual({ sub: 'Patient/p1', fhirUser: `${started.base}/fhir/Patient/p1` });
  expect((await fetch(`${started.issuer}/userinfo`)).status).toBe(401);
});

test.each([{ jkt: 'thumbprint' }, { 'x5t#S256': 'thumbprint' }])(
  'SM-21 %j: our own bound token is described with its key, and opens nothing without a proof',
  async (key) => {
    const app = new SmartApp(started, 'backend');
    const own = String((await json(app.backend('system/Patient.read')))['access_token']);
    const { provider } = await started.server.of(started.tenant);
    const client = await provider.Client.find('backend');
    const bound = new provider.ClientCredentials({ client: client!, scope: 'system/Patient.read' });
    Object.assign(bound, key);
    const token = await bound.save();
    const described = await json(form(started, '/introspect', { token }, bearer(own)));
    expect(described).toMatchObject({ active: true, cnf: key });
    for (const path of ['/introspect', '/userinfo']) {
      const answer = await form(started, path, { token }, bearer(token));
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toContain('bound to a key');
    }
    const authorize = ownAccess({ server: started.server, identity: async () => undefined, now: Date.now });
    await expect(authorize(started.tenant, token)).rejects.toThrow('bound to a key');
  },
);
