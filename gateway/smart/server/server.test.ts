import { decodeJwt, SignJWT, type CryptoKey } from 'jose';
import * as oauth from 'oauth4webapi';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PATIENT_SCOPE, SmartApp } from './test/smart-app.ts';
import type { Started } from './test/started.ts';
import { Browser, PEOPLE, REDIRECT, SECRET, startServer, ticked, unescape } from './test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

const set = (scope: unknown) => new Set(String(scope).split(' '));
const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${started.issuer}${path}`, { method: 'POST', body: new URLSearchParams(fields), headers });
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const json = async (response: Promise<Response> | Response) =>
  (await (await response).json()) as Record<string, unknown>;

test.each(['public-app', 'confidential-es', 'confidential-rs', 'secret-app'])(
  'standalone launch of %s: tokens with the patient in context (SMART App Launch §4.1)',
  async (id) => {
    const tokens = await new SmartApp(started, id).tokens();
    expect(tokens).toMatchObject({
      token_type: 'bearer',
      expires_in: 3600,
      patient: 'p1',
      need_patient_banner: true,
      fhirUser: `${started.base}/fhir/Patient/p1`,
      smart_style_url: `${started.issuer}/smart-style.json`,
      refresh_token: expect.any(String),
    });
    expect(set(tokens.scope)).toEqual(set(PATIENT_SCOPE));
    expect(decodeJwt(tokens.id_token!)).toMatchObject({
      iss: started.issuer,
      aud: id,
      sub: 'Patient/p1',
      fhirUser: `${started.base}/fhir/Patient/p1`,
    });
  },
);

test('a clinician picks the patient, and only then is one in context', async () => {
  const tokens = await new SmartApp(started).tokens({ account: 'Practitioner/d1', patient: 'p2' });
  expect(tokens).toMatchObject({ patient: 'p2', fhirUser: `${started.base}/fhir/Practitioner/d1` });
});

test('the token answer of an app without openid and fhirUser names no user', async () => {
  const tokens = await new SmartApp(started).tokens({ scope: 'launch/patient patient/Observation.rs' });
  expect(tokens).toMatchObject({ patient: 'p1', scope: 'launch/patient patient/Observation.rs' });
  expect(Object.keys(tokens)).not.toEqual(
    expect.arrayContaining(['fhirUser', 'id_token', 'refresh_token']) as unknown,
  );
});

test('consent names app, host, user, patient and data; names cannot write HTML; no script, no frame', async () => {
  const browser = new Browser(started.issuer);
  const app = new SmartApp(started);
  const signIn = await browser.open(await app.url(PATIENT_SCOPE));
  const consent = await browser.submit(signIn, [['account', 'Patient/p1']]);
  const text = unescape(consent.html.replace(/<[^>]+>/g, ' '));
  for (const words of ['A <i>public</i> app', '127.0.0.1:9', 'Ann <b>One</b>', '1970-01-01', 'everything']) {
    expect(text).toContain(words);
  }
  expect(consent.html).not.toMatch(/<i>public|<b>One|<script/);
  expect(ticked(consent)).toEqual(['fhirUser', 'patient/*.rs', 'offline_access']);
  const policy = consent.headers.get('content-security-policy');
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toContain("form-action 'self' http://127.0.0.1:9");
  expect(consent.headers.get('cache-control')).toBe('no-store');
});

test('what is unticked is not granted: not in the answer, not in introspection, not after a refresh', async () => {
  const app = new SmartApp(started);
  const scope = 'launch/patient offline_access patient/Observation.rs patient/Condition.rs';
  const tokens = await app.tokens({ scope, without: ['patient/Condition.rs'] });
  const granted = set('launch/patient offline_access patient/Observation.rs');
  expect(set(tokens.scope)).toEqual(granted);
  expect(set((await app.introspect(tokens.access_token))['scope'])).toEqual(granted);
  const refreshed = await json(app.refresh(tokens.refresh_token!));
  expect(set(refreshed['scope'])).toEqual(granted);
  expect(refreshed).toMatchObject({ patient: 'p1' });
});

test('granular, v1 and v2 scopes are granted as they were asked for; what nobody knows is left out (SM-5)', async () => {
  const known = [
    'launch/patient',
    'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory',
    'patient/Condition.read',
    'patient/ImagingStudy.r',
  ];
  const app = new SmartApp(started);
  const tokens = await app.tokens({
    scope: [...known, 'patient/Observation.sr', 'system/*.rs', 'x'].join(' '),
  });
  expect(set(tokens.scope)).toEqual(new Set(known));
  expect((await started.server.verifyOwnToken(started.tenant, tokens.access_token))!.scope).toBe(
    tokens.scope,
  );
});

test.each([
  ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
  ['PKCE plain', { code_challenge_method: 'plain' }, 'invalid_request'],
  ['no method (plain by default)', { code_challenge_method: undefined }, 'invalid_request'],
  ['no aud', { aud: undefined }, 'invalid_request'],
  ['another aud', { aud: 'https://elsewhere.example.org/fhir' }, 'invalid_request'],
  ['aud of another tenant', { aud: 'http://127.0.0.1/other/fhir' }, 'invalid_request'],
  ['launch scope without launch', { scope: 'launch patient/*.rs' }, 'invalid_request'],
  ['an unknown launch', { scope: 'launch patient/*.rs', launch: 'made-up' }, 'invalid_request'],
  ['nothing that can be granted', { scope: 'system/*.rs' }, 'invalid_scope'],
  ['an implicit grant', { response_type: 'token' }, 'unsupported_response_type'],
  ['prompt=none', { prompt: 'none' }, 'login_required'],
  [
    'a request object by URL',
    { request_uri: 'https://elsewhere.example.org/r' },
    'request_uri_not_supported',
  ],
])('%s: error %s goes to the registered redirect URI, with iss (RFC 9207)', async (_, parameters, error) => {
  const app = new SmartApp(started);
  const { url } = await new Browser(started.issuer).open(await app.url(PATIENT_SCOPE, parameters));
  const answer = new URL(url.replace('#', '&')); // the answer to an implicit request would be in the fragment
  expect(answer.origin + answer.pathname).toBe('http://127.0.0.1:9/callback');
  expect(Object.fromEntries(answer.searchParams)).toMatchObject({
    ...{ error, iss: started.issuer, state: app.state, kept: '1' },
  });
});

test.each([
  ['an unknown client', { client_id: 'nobody' }],
  ['another redirect URI', { redirect_uri: 'http://127.0.0.1:9/other' }],
  ['a redirect URI with more behind it', { redirect_uri: `${REDIRECT}&more=1` }],
  ['a redirect URI of another port', { redirect_uri: REDIRECT.replace(':9', ':10') }],
  ['no redirect URI', { redirect_uri: undefined }],
  ['an error and another redirect URI', { redirect_uri: 'http://evil.example.org/', aud: undefined }],
])('%s never redirects: no open redirect', async (_, parameters) => {
  const page = await new Browser(started.issuer).open(await new SmartApp(started).url('openid', parameters));
  expect(page.status).toBe(400);
  expect(page.html).toContain('This did not work');
  expect(page.headers.get('location')).toBeNull();
});

test('aud may be the tenant base or the FHIR base, with or without a slash', async () => {
  for (const aud of [started.base, `${started.base}/`, `${started.base}/fhir`, `${started.base}/fhir/`]) {
    const tokens = await new SmartApp(started).tokens({ parameters: { aud } });
    expect(tokens['patient']).toBe('p1');
  }
});

test('Deny goes back with access_denied', async () => {
  const browser = new Browser(started.issuer);
  const signIn = await browser.open(await new SmartApp(started).url(PATIENT_SCOPE));
  const consent = await browser.submit(signIn, [['account', 'Patient/p1']]);
  const { url } = await browser.submit(consent, [['step', 'deny']]);
  expect(new URL(url).searchParams.get('error')).toBe('access_denied');
});

test('a code works once; a second try revokes the tokens of the first (RFC 6749 §4.1.2)', async () => {
  const app = new SmartApp(started);
  const callback = await app.launch();
  const tokens = await app.exchange(callback);
  expect(await app.introspect(tokens.access_token)).toMatchObject({ active: true });
  await expect(app.exchange(callback)).rejects.toMatchObject({ error: 'invalid_grant' });
  expect(await app.introspect(tokens.access_token)).toEqual({ active: false });
  expect((await app.refresh(tokens.refresh_token!)).status).toBe(400);
});

test('of two exchanges of one code at once, at most one is answered', async () => {
  const app = new SmartApp(started);
  const callback = await app.launch();
  const results = await Promise.allSettled([app.exchange(callback), app.exchange(callback)]);
  expect(results.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
});

test('a code is bound to its verifier, its client and its redirect URI', async () => {
  const app = new SmartApp(started);
  const code = (await app.launch()).searchParams.get('code')!;
  const right = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: REDIRECT,
    code_verifier: app.verifier,
    client_id: 'public-app',
  };
  for (const wrong of [{ code_verifier: 'x'.repeat(43) }, { redirect_uri: 'http://127.0.0.1:9/other' }]) {
    expect(await json(form('/token', { ...right, ...wrong }))).toMatchObject({ error: 'invalid_grant' });
  }
  const { client_id: _, ...other } = right;
  const basic = { authorization: `Basic ${btoa(`secret-app:${SECRET}`)}` };
  expect(await json(form('/token', other, basic))).toMatchObject({ error: 'invalid_grant' });
  expect((await form('/token', right)).status).toBe(200);
});

test('a public client’s refresh token is rotated; using an old one ends the grant (RFC 9700 §4.14)', async () => {
  const app = new SmartApp(started);
  const first = await app.tokens();
  const second = await json(app.refresh(first.refresh_token!));
  expect(second['refresh_token']).not.toBe(first.refresh_token);
  expect((await app.refresh(first.refresh_token!)).status).toBe(400);
  expect(await app.introspect(String(second['access_token']))).toEqual({ active: false });
});

test('a refresh may narrow the scope, never widen it', async () => {
  const app = new SmartApp(started, 'secret-app');
  const { refresh_token: token } = await app.tokens({
    scope: 'launch/patient offline_access patient/Observation.rs patient/Condition.rs',
  });
  const basic = { authorization: `Basic ${btoa(`secret-app:${SECRET}`)}` };
  const again = (scope: string) =>
    json(form('/token', { grant_type: 'refresh_token', refresh_token: token!, scope }, basic));
  expect(await again('patient/Condition.rs')).toMatchObject({ scope: 'patient/Condition.rs', patient: 'p1' });
  expect(await again('patient/*.rs')).toMatchObject({ error: 'invalid_scope' });
});

test('online_access gives a refresh token that ends when somebody else signs in in that browser', async () => {
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

test('revoking the refresh token ends its access tokens at once', async () => {
  const app = new SmartApp(started);
  const tokens = await app.tokens();
  expect(await started.server.verifyOwnToken(started.tenant, tokens.access_token)).toBeDefined();
  expect((await app.revoke(tokens.refresh_token!)).status).toBe(200);
  expect(await started.server.verifyOwnToken(started.tenant, tokens.access_token)).toBeUndefined();
  expect(await app.introspect(tokens.access_token)).toEqual({ active: false });
  expect((await app.refresh(tokens.refresh_token!)).status).toBe(400);
});

test('nobody revokes another client’s token', async () => {
  const tokens = await new SmartApp(started).tokens();
  await new SmartApp(started, 'secret-app').revoke(tokens.access_token);
  expect(await started.server.verifyOwnToken(started.tenant, tokens.access_token)).toBeDefined();
});

test('two grants do not mix: scopes and patient of each are its own (IA-9)', async () => {
  const browser = new Browser(started.issuer);
  const app = new SmartApp(started);
  const clinician = { account: 'Practitioner/d1', browser };
  const one = await app.tokens({ ...clinician, scope: 'patient/*.rs', patient: 'p1' });
  const two = await app.tokens({ ...clinician, scope: 'patient/Observation.rs', patient: 'p2' });
  const of = (token: string) => started.server.verifyOwnToken(started.tenant, token);
  expect(await of(one.access_token)).toMatchObject({ patient: 'p1', scope: 'patient/*.rs' });
  expect(await of(two.access_token)).toMatchObject({ patient: 'p2', scope: 'patient/Observation.rs' });
});

const launch = (body: unknown) =>
  fetch(`${started.issuer}/launch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

test('EHR launch: the patient and encounter of the launch, no picker (SMART App Launch §4.1.1)', async () => {
  const answer = await launch({ patient: 'p2', encounter: 'e1', need_patient_banner: false });
  expect(answer.status).toBe(201);
  const { launch: id } = (await answer.json()) as { launch: string };
  const choices = { scope: 'launch patient/*.rs', account: 'Practitioner/d1', parameters: { launch: id } };
  const app = new SmartApp(started);
  const tokens = await app.tokens(choices);
  expect(tokens).toMatchObject({ patient: 'p2', encounter: 'e1', need_patient_banner: false });
  expect(await app.introspect(tokens.access_token)).toMatchObject({ patient: 'p2', encounter: 'e1' });
  const again = await new Browser(started.issuer).open(await app.url(choices.scope, choices.parameters));
  expect(new URL(again.url).searchParams.get('error')).toBe('invalid_request');
});

test('a launch opens no record that its user may not open', async () => {
  const { launch: id } = (await (await launch({ patient: 'p2' })).json()) as { launch: string };
  const app = new SmartApp(started);
  const back = await app.launch({
    scope: 'launch patient/*.rs',
    account: 'Patient/p1',
    parameters: { launch: id },
  });
  expect(back.searchParams.get('error')).toBe('access_denied');
});

test.each(['{', {}, { patient: '../p1' }, { patient: 'p1', more: 1 }])(
  'launch %o is refused',
  async (body) => {
    expect((await launch(body)).status).toBe(400);
  },
);

test.each([
  ['another patient’s id', 'Patient/p1', 'p2'],
  ['an id that nobody has', 'Practitioner/d1', 'p9'],
  ['a path', 'Practitioner/d1', '../p1'],
])('a patient slipped into the form is refused: %s', async (_, account, patient) => {
  const browser = new Browser(started.issuer);
  const signIn = await browser.open(await new SmartApp(started).url(PATIENT_SCOPE));
  const page = await browser.submit(signIn, [['account', account]]);
  const [, action] = /action="([^"]+)"/.exec(page.html)!;
  const { url } = await browser.open(new URL(action!, page.url).href, {
    method: 'POST',
    body: new URLSearchParams({ patient, step: 'allow', scope: 'patient/*.rs' }),
  });
  expect(new URL(url).searchParams.get('error')).toBe('access_denied');
});

test('a scope slipped into the form is not granted', async () => {
  const browser = new Browser(started.issuer);
  const app = new SmartApp(started);
  const signIn = await browser.open(await app.url('launch/patient patient/Observation.rs'));
  const consent = await browser.submit(signIn, [['account', 'Patient/p1']]);
  const done = await browser.submit(consent, [
    ['scope', 'patient/Observation.rs'],
    ['scope', 'patient/*.cruds'],
    ['scope', 'system/*.rs'],
    ['step', 'allow'],
  ]);
  const tokens = await app.exchange(new URL(done.url));
  expect(set(tokens.scope)).toEqual(set('launch/patient patient/Observation.rs'));
});

test('CSRF: a consent form counts only from our page, with this browser’s cookie (RFC 9700 §4.7)', async () => {
  const browser = new Browser(started.issuer);
  const signIn = await browser.open(await new SmartApp(started).url(PATIENT_SCOPE));
  const consent = await browser.submit(signIn, [['account', 'Patient/p1']]);
  const allow: [string, string][] = [
    ['scope', 'patient/*.rs'],
    ['step', 'allow'],
  ];
  for (const headers of [
    { origin: 'https://evil.example.org' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ] as Record<string, string>[]) {
    expect((await browser.submit(consent, allow, headers)).status).toBe(403);
  }
  // Another browser, which knows the address only.
  const thief = await new Browser(started.issuer).submit(consent, allow);
  expect(thief.status).toBe(400);
  expect(thief.html).toContain('has ended');
  // A browser that began an authorization of its own.
  const second = new Browser(started.issuer);
  await second.open(await new SmartApp(started).url(PATIENT_SCOPE));
  expect((await second.submit(consent, allow)).status).toBe(400);
  expect((await browser.submit(consent, allow)).url).toContain('/callback?');
});

test('session fixation: signing in changes the session’s cookie; cookies are for this tenant’s path only', async () => {
  const browser = new Browser(started.issuer);
  const app = new SmartApp(started);
  await app.launch({ browser });
  const before = /_session=([^;]+)/.exec(browser.cookiesFor(`${started.issuer}/authorize`))![1];
  await app.launch({ browser });
  const after = /_session=([^;]+)/.exec(browser.cookiesFor(`${started.issuer}/authorize`))![1];
  expect(after).not.toBe(before);
  expect(browser.cookiesFor(`${started.base.replace('/demo', '/other')}/oauth/authorize`)).toBe('');
  expect(browser.cookiesFor(`${started.base}/graphql`)).toBe('');
});

test('cookies cannot be read by scripts and are not sent from other sites', async () => {
  const response = await fetch(await new SmartApp(started).url(PATIENT_SCOPE), { redirect: 'manual' });
  const cookies = response.headers.getSetCookie();
  expect(cookies.length).toBeGreaterThan(0);
  for (const cookie of cookies) expect(cookie).toMatch(/samesite=lax.*httponly/i);
});

test('an interaction that has expired says so', async () => {
  const browser = new Browser(started.issuer);
  const signIn = await browser.open(await new SmartApp(started).url(PATIENT_SCOPE));
  const uid = signIn.url.split('/').at(-1)!;
  await started.server.state.model('demo', 'Interaction').destroy(uid);
  const late = await browser.submit(signIn, [['account', 'Patient/p1']]);
  expect(late.status).toBe(400);
  expect(late.html).toContain('has ended');
});

test('a stranger’s account is asked again', async () => {
  const browser = new Browser(started.issuer);
  const signIn = await browser.open(await new SmartApp(started).url(PATIENT_SCOPE));
  const page = await browser.submit(signIn, [['account', 'Patient/p9']]);
  expect(page.html).toContain('Sign in');
  expect(PEOPLE.every(({ reference }) => page.html.includes(reference.replace('/', '/')))).toBe(true);
});

test.each([
  ['backend', 'system/*.rs', 'system/*.rs'],
  ['backend', 'system/Patient.read', 'system/Patient.read'],
  ['limited-backend', 'system/ImagingStudy.rs system/Patient.rs', 'system/ImagingStudy.rs'],
  ['limited-backend', 'system/ImagingStudy.r', 'system/ImagingStudy.r'],
])('backend service %s asks for %s, gets %s (SMART App Launch §5)', async (id, asked, granted) => {
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

async function assertion(
  claims: object = {},
  header: object = {},
  key: CryptoKey = started.keys.ES384.privateKey,
) {
  const all = {
    iss: 'backend',
    sub: 'backend',
    aud: `${started.issuer}/token`,
    jti: crypto.randomUUID(),
    exp: Math.floor(Date.now() / 1000) + 240,
    ...claims,
  };
  return new SignJWT(all)
    .setProtectedHeader({ alg: 'ES384', kid: 'key-ES384', typ: 'JWT', ...header })
    .sign(key);
}
const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const service = (client_assertion: string, more: Record<string, string> = {}) =>
  form('/token', {
    grant_type: 'client_credentials',
    scope: 'system/*.rs',
    client_assertion_type: TYPE,
    client_assertion,
    ...more,
  });

test('token endpoint: an assertion for the token endpoint by its URL is taken, once', async () => {
  const jwt = await assertion();
  expect((await service(jwt)).status).toBe(200);
  expect(await json(service(jwt))).toMatchObject({ error: 'invalid_client' });
});

test.each<[string, () => Promise<Response>, string]>([
  [
    'another grant type',
    async () => service(await assertion(), { grant_type: 'x' }),
    'unsupported_grant_type',
  ],
  ['no grant type', async () => service(await assertion(), { grant_type: '' }), 'invalid_request'],
  [
    'another assertion type',
    async () => service(await assertion(), { client_assertion_type: 'x' }),
    'invalid_request',
  ],
  ['rubbish', async () => service('x.y.z'), 'invalid_request'],
  ['another audience', async () => service(await assertion({ aud: 'https://x' })), 'invalid_client'],
  [
    'an hour of life',
    async () => service(await assertion({ exp: Date.now() / 1000 + 3600 })),
    'invalid_client',
  ],
  ['expired', async () => service(await assertion({ exp: Date.now() / 1000 - 60 })), 'invalid_client'],
  ['no jti', async () => service(await assertion({ jti: undefined })), 'invalid_client'],
  ['another subject', async () => service(await assertion({ sub: 'public-app' })), 'invalid_client'],
  [
    'another client’s key',
    async () => service(await assertion({ iss: 'confidential-rs', sub: 'confidential-rs' })),
    'invalid_client',
  ],
  ['HMAC with the public key', async () => service(await hmac()), 'invalid_client'],
  ['alg none', async () => service(await unsigned()), 'invalid_client'],
  [
    'no scope that a backend may have',
    async () => service(await assertion(), { scope: 'patient/*.rs' }),
    'invalid_scope',
  ],
  [
    'a secret in place of a key',
    async () =>
      form('/token', { grant_type: 'client_credentials', client_id: 'backend', client_secret: SECRET }),
    'invalid_client',
  ],
  [
    'a wrong secret',
    async () =>
      form('/token', { grant_type: 'client_credentials', client_id: 'limited-backend', client_secret: 'x' }),
    'invalid_client',
  ],
  [
    'an app',
    async () =>
      form('/token', { grant_type: 'client_credentials', client_id: 'secret-app', client_secret: SECRET }),
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
  const [, payload] = (await assertion()).split('.');
  return `${btoa('{"alg":"none"}').replaceAll('=', '')}.${payload}.`;
}

test('introspection says the same to every asker, and the scopes of the token answer (SM-8)', async () => {
  const app = new SmartApp(started, 'confidential-es');
  const tokens = await app.tokens();
  const backend = new SmartApp(started, 'backend');
  const own = String((await json(backend.backend('system/Patient.read')))['access_token']);
  const byApp = await app.introspect(tokens.access_token);
  const byService = await backend.introspect(tokens.access_token);
  const byBearer = await json(form('/introspect', { token: tokens.access_token }, bearer(own)));
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
  ['a made-up token', async () => bearer('made-up'), 401],
  ['a client assertion (IA-12)', async () => bearer(await assertion()), 401],
  ['two tokens in one header', async () => ({ authorization: 'Bearer a b' }), 400],
])('asking by bearer with %s is refused', async (_, headers, status) => {
  const { access_token: token } = await new SmartApp(started).tokens();
  const answer = await form('/introspect', { token }, await headers());
  expect(answer.status).toBe(status);
  expect(await answer.text()).not.toContain('p1');
});

test('an app learns nothing about another app’s token', async () => {
  const tokens = await new SmartApp(started).tokens();
  expect(await new SmartApp(started, 'secret-app').introspect(tokens.access_token)).toEqual({
    active: false,
  });
});

test('only access tokens are access tokens', async () => {
  const tokens = await new SmartApp(started).tokens();
  const other = { ...started.tenant, key: 'other', path: 'other' };
  const verify = started.server.verifyOwnToken;
  for (const wrong of [tokens.refresh_token!, tokens.id_token!, 'x', '', await assertion()]) {
    expect(await verify(started.tenant, wrong)).toBeUndefined();
  }
  expect(await verify(other, tokens.access_token), 'of another tenant').toBeUndefined();
  expect(await verify(started.tenant, tokens.access_token)).toBeDefined();
});

test('userinfo tells the user of an openid token', async () => {
  const tokens = await new SmartApp(started).tokens();
  const answer = await fetch(`${started.issuer}/userinfo`, { headers: bearer(tokens.access_token) });
  expect(await answer.json()).toEqual({ sub: 'Patient/p1', fhirUser: `${started.base}/fhir/Patient/p1` });
  expect((await fetch(`${started.issuer}/userinfo`)).status).toBe(401);
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
  const { authorizationServer } = await import('./server.ts');
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

test('a client’s own forwarding headers change nothing: addresses are those of BASE_URL', async () => {
  const headers = {
    'x-forwarded-host': 'evil.example.org',
    'x-forwarded-proto': 'https',
    host: 'evil.example.org',
  };
  const response = await fetch(`${started.issuer}/.well-known/openid-configuration`, { headers });
  expect(JSON.stringify(await response.json())).not.toContain('evil');
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
  expect((await launch(`"${'x'.repeat(20_000)}"`)).status).toBe(413);
  expect((await form('/token', { grant_type: 'x'.repeat(60_000) })).status).toBe(400);
});
