import { afterAll, beforeAll, expect, test } from 'vitest';
import { set } from './test/requests.ts';
import { PATIENT_SCOPE, SmartApp } from './test/smart-app.ts';
import { Browser, startServer, type Started } from './test/started.ts';

let started: Started;
beforeAll(async () => {
  started = await startServer();
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

test.each([
  ['another patient’s id', 'Patient/p1', 'p2'],
  ['an unknown id', 'Practitioner/d1', 'p9'],
  ['a path', 'Practitioner/d1', '../p1'],
])('refuses a patient who was added to the form: %s', async (_, account, patient) => {
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

test('does not grant a scope that was added to the form', async () => {
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

test('CSRF: accepts a consent form only from our page with this browser’s cookie (RFC 9700 §4.7)', async () => {
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
  // Another browser, which only knows the URL.
  const thief = await new Browser(started.issuer).submit(consent, allow);
  expect(thief.status).toBe(400);
  expect(thief.html).toContain('has ended');
  // A browser that began another authorization.
  const second = new Browser(started.issuer);
  await second.open(await new SmartApp(started).url(PATIENT_SCOPE));
  expect((await second.submit(consent, allow)).status).toBe(400);
  expect((await browser.submit(consent, allow)).url).toContain('/callback?');
});

test('session fixation: a sign-in changes the session cookie; cookies are only for this tenant’s path', async () => {
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

test('scripts cannot read cookies, and other sites do not send them', async () => {
  const response = await fetch(await new SmartApp(started).url(PATIENT_SCOPE), { redirect: 'manual' });
  const cookies = response.headers.getSetCookie();
  expect(cookies.length).toBeGreaterThan(0);
  for (const cookie of cookies) expect(cookie).toMatch(/samesite=lax.*httponly/i);
});

test('an expired interaction shows a page that says so', async () => {
  const browser = new Browser(started.issuer);
  const signIn = await browser.open(await new SmartApp(started).url(PATIENT_SCOPE));
  const uid = signIn.url.split('/').at(-1)!;
  await started.server.state.model('demo', 'Interaction').destroy(uid);
  const late = await browser.submit(signIn, [['account', 'Patient/p1']]);
  expect(late.status).toBe(400);
  expect(late.html).toContain('has ended');
});

test('URLs are those of BASE_URL: forwarding headers of a client are ignored', async () => {
  const headers = {
    'x-forwarded-host': 'evil.example.org',
    'x-forwarded-proto': 'https',
    host: 'evil.example.org',
  };
  const response = await fetch(`${started.issuer}/.well-known/openid-configuration`, { headers });
  expect(JSON.stringify(await response.json())).not.toContain('evil');
});
