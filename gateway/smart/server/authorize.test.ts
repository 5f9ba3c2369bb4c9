import { decodeJwt } from 'jose';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, set } from './test/requests.ts';
import { PATIENT_SCOPE, SmartApp } from './test/smart-app.ts';
import { Browser, PEOPLE, REDIRECT, startServer, ticked, unescape, type Started } from './test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

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

test('a clinician chooses the patient in context', async () => {
  const tokens = await new SmartApp(started).tokens({ account: 'Practitioner/d1', patient: 'p2' });
  expect(tokens).toMatchObject({ patient: 'p2', fhirUser: `${started.base}/fhir/Practitioner/d1` });
});

test('the token answer names no user without openid and fhirUser', async () => {
  const tokens = await new SmartApp(started).tokens({ scope: 'launch/patient patient/Observation.rs' });
  expect(tokens).toMatchObject({ patient: 'p1', scope: 'launch/patient patient/Observation.rs' });
  expect(Object.keys(tokens)).not.toEqual(
    expect.arrayContaining(['fhirUser', 'id_token', 'refresh_token']) as unknown,
  );
});

test('consent shows app, host, user, patient and data, escapes names, and allows no script or frame', async () => {
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

test('an unticked scope is not granted: not in the answer, in introspection, or after a refresh', async () => {
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

test('grants granular, v1 and v2 scopes as they were requested, and leaves out unknown ones (SM-5)', async () => {
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
  ['another resource', { aud: undefined, resource: 'https://elsewhere.example.org/' }, 'invalid_target'],
  ['another aud', { aud: 'https://elsewhere.example.org/fhir' }, 'invalid_request'],
  ['aud of another tenant', { aud: 'http://127.0.0.1/other/fhir' }, 'invalid_request'],
  ['launch scope without launch', { scope: 'launch patient/*.rs' }, 'invalid_request'],
  ['an unknown launch', { scope: 'launch patient/*.rs', launch: 'made-up' }, 'invalid_request'],
  ['no scope that can be granted', { scope: 'system/*.rs' }, 'invalid_scope'],
  ['an implicit grant', { response_type: 'token' }, 'unsupported_response_type'],
  ['prompt=none', { prompt: 'none' }, 'login_required'],
  [
    'a request object by URL',
    { request_uri: 'https://elsewhere.example.org/r' },
    'request_uri_not_supported',
  ],
])(
  '%s: answers to the registered redirect URI with an error and iss (RFC 9207)',
  async (_, parameters, error) => {
    const app = new SmartApp(started);
    const { url } = await new Browser(started.issuer).open(await app.url(PATIENT_SCOPE, parameters));
    const answer = new URL(url.replace('#', '&')); // The answer to an implicit request is in the fragment.
    expect(answer.origin + answer.pathname).toBe('http://127.0.0.1:9/callback');
    expect(Object.fromEntries(answer.searchParams)).toMatchObject({
      error,
      iss: started.issuer,
      state: app.state,
      kept: '1',
    });
  },
);

test.each([
  ['an unknown client', { client_id: 'nobody' }],
  ['another redirect URI', { redirect_uri: 'http://127.0.0.1:9/other' }],
  ['a redirect URI with a suffix', { redirect_uri: `${REDIRECT}&more=1` }],
  ['a redirect URI with another address', { redirect_uri: REDIRECT.replace('127.0.0.1', '127.0.0.2') }],
  ['a redirect URI with an invalid port', { redirect_uri: REDIRECT.replace(':9', ':99999') }],
  ['a redirect URI with a host name', { redirect_uri: REDIRECT.replace('127.0.0.1', 'localhost') }],
  ['no redirect URI', { redirect_uri: undefined }],
  ['an error and another redirect URI', { redirect_uri: 'http://evil.example.org/', aud: undefined }],
])('%s: shows a page and does not redirect', async (_, parameters) => {
  const page = await new Browser(started.issuer).open(await new SmartApp(started).url('openid', parameters));
  expect(page.status).toBe(400);
  expect(page.html).toContain('This did not work');
  expect(page.headers.get('location')).toBeNull();
});

test('RFC 8252 §7.3: accepts any port of a registered loopback address', async () => {
  for (const id of ['public-app', 'native-app']) {
    const redirect_uri = REDIRECT.replace(':9', ':51004');
    const browser = new Browser(started.issuer);
    const page = await browser.open(await new SmartApp(started, id).url('openid', { redirect_uri }));
    expect(page.html).toContain('name="account"');
    const { url } = await browser.submit(page, [['step', 'deny']]);
    expect(url.startsWith(`${redirect_uri}&error=access_denied`)).toBe(true);
  }
});

test('a consent without a ticked scope gives no token: the page says so and keeps the ticks', async () => {
  const browser = new Browser(started.issuer);
  const app = new SmartApp(started);
  const scope = 'openid launch/patient patient/Observation.rs fhirUser offline_access';
  const signIn = await browser.open(await app.url(scope));
  let page = await browser.submit(signIn, [['account', 'Patient/p1']]);
  for (const left of [[], ['offline_access'], ['patient/*.cruds']]) {
    const boxes = left.map((box): [string, string] => ['scope', box]);
    page = await browser.submit(page, [...boxes, ['step', 'allow']]);
    expect(page.status).toBe(200);
    expect(page.html).toContain('role="alert"');
    expect(ticked(page)).toEqual(left.filter((box) => box === 'offline_access'));
  }
  const done = await browser.submit(page, [
    ['scope', 'patient/Observation.rs'],
    ['step', 'allow'],
  ]);
  const tokens = await app.exchange(new URL(done.url));
  expect(set(tokens.scope)).toEqual(set('openid launch/patient patient/Observation.rs'));
});

test('an app that requests no data needs no tick', async () => {
  expect((await new SmartApp(started).tokens({ scope: 'openid launch/patient' })).scope).toContain('openid');
});

test('names of apps and people are in <bdi>, so that they cannot reverse other text', async () => {
  const browser = new Browser(started.issuer);
  const signIn = await browser.open(await new SmartApp(started).url(PATIENT_SCOPE));
  const consent = await browser.submit(signIn, [['account', 'Practitioner/d1']]);
  const agreed = await browser.submit(consent, [['patient', 'p2']]);
  for (const { html } of [signIn, consent, agreed]) {
    const isolated = [...html.matchAll(/<bdi>(.*?)<\/bdi>/g)].map(([, text]) => unescape(text!));
    expect(isolated).toContain('A <i>public</i> app');
    const outside = unescape(html.replace(/<bdi>.*?<\/bdi>/g, ''));
    for (const name of ['public</i> app', ...PEOPLE.map((person) => person.name)]) {
      expect(outside).not.toContain(name);
    }
  }
});

test.each(['form_post', 'form_post for an error'])(
  '%s: the policy of the page allows only its script and its target',
  async (mode) => {
    const browser = new Browser(started.issuer);
    const app = new SmartApp(started);
    const url = await app.url(PATIENT_SCOPE, { response_mode: 'form_post' });
    const signIn = await browser.open(url);
    const consent = await browser.submit(signIn, [['account', 'Patient/p1']]);
    const choice: [string, string][] =
      mode === 'form_post'
        ? [
            ['scope', 'patient/*.rs'],
            ['step', 'allow'],
          ]
        : [['step', 'deny']];
    const page = await browser.submit(consent, choice);
    expect(page.html).toContain(`action="${REDIRECT}"`);
    const policy = page.headers.get('content-security-policy')!;
    const [, script] = /<script>([\s\S]*?)<\/script>/.exec(page.html)!;
    const hash = createHash('sha256').update(script!).digest('base64');
    expect(new Set(policy.split(/;\s*/))).toEqual(
      new Set([
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        `script-src 'sha256-${hash}'`,
        "form-action 'self' http://127.0.0.1:9",
      ]),
    );
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('x-frame-options')).toBe('DENY');
  },
);

test.each(['', '/mcp'])('SM-20 resource is enough instead of aud: {base}%s (RFC 8707)', async (path) => {
  const app = new SmartApp(started);
  const parameters = { aud: undefined, resource: `${started.base}${path}` };
  const tokens = await app.tokens({ parameters });
  expect(set(tokens.scope)).toEqual(set(PATIENT_SCOPE));
  // The same token as for the FHIR base, also after a refresh.
  expect(await app.introspect(tokens.access_token)).toMatchObject({
    active: true,
    aud: `${started.base}/fhir`,
  });
  const refreshed = await json(app.refresh(tokens.refresh_token!));
  expect(await app.introspect(String(refreshed['access_token']))).toMatchObject({
    active: true,
    patient: 'p1',
  });
});

test('aud may be the tenant base or the FHIR base, with or without a slash', async () => {
  for (const aud of [started.base, `${started.base}/`, `${started.base}/fhir`, `${started.base}/fhir/`]) {
    const tokens = await new SmartApp(started).tokens({ parameters: { aud } });
    expect(tokens['patient']).toBe('p1');
  }
});

test('Deny returns to the app with access_denied', async () => {
  const browser = new Browser(started.issuer);
  const signIn = await browser.open(await new SmartApp(started).url(PATIENT_SCOPE));
  const consent = await browser.submit(signIn, [['account', 'Patient/p1']]);
  const { url } = await browser.submit(consent, [['step', 'deny']]);
  expect(new URL(url).searchParams.get('error')).toBe('access_denied');
});

test('two grants do not mix their scopes and patients (IA-9)', async () => {
  const browser = new Browser(started.issuer);
  const app = new SmartApp(started);
  const clinician = { account: 'Practitioner/d1', browser };
  const one = await app.tokens({ ...clinician, scope: 'patient/*.rs', patient: 'p1' });
  const two = await app.tokens({ ...clinician, scope: 'patient/Observation.rs', patient: 'p2' });
  const of = (token: string) => started.server.verifyOwnToken(started.tenant, token);
  expect(await of(one.access_token)).toMatchObject({ patient: 'p1', scope: 'patient/*.rs' });
  expect(await of(two.access_token)).toMatchObject({ patient: 'p2', scope: 'patient/Observation.rs' });
});

test('an unknown account is asked to sign in again', async () => {
  const browser = new Browser(started.issuer);
  const signIn = await browser.open(await new SmartApp(started).url(PATIENT_SCOPE));
  const page = await browser.submit(signIn, [['account', 'Patient/p9']]);
  expect(page.html).toContain('Sign in');
  expect(PEOPLE.every(({ reference }) => page.html.includes(reference.replace('/', '/')))).toBe(true);
});
