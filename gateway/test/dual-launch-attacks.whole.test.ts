import { decodeJwt, type JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DEMO_PATIENT } from '../pages/first-request.ts';
import type { Page } from '../smart/server/test/started.ts';
import { allow, App, APP, independent, Journey, portal, pressAllow } from './dual-launch.ts';
import { foreignEhr, type ForeignEhr } from './foreign-ehr.ts';
import { buildTestGateway, type TestGateway } from './test-gateway.ts';
import { freePort } from './setup/free-port.ts';

/** Attacks on a tenant whose users sign in at another EHR (IA-28). RFC 9700 §2.1, §4; OpenID Connect Core §3.1.3.7. */

const USER = `user-of-${DEMO_PATIENT}`;
const OTHER_PATIENT = 'demo-maria-alvarez';
const OTHER_USER = `user-of-${OTHER_PATIENT}`;
let ehr: ForeignEhr;
let gateway: TestGateway;
/** Milliseconds by which the clock of the gateway is ahead. */
let ahead = 0;

beforeAll(async () => {
  const port = await freePort();
  const tenants = ['one', 'two'];
  ehr = await foreignEhr(tenants.map((key) => `http://127.0.0.1:${port}/${key}/oauth/ehr-callback`));
  const images = { type: 'folder', path: '/nowhere', lookup: 'all-studies-on-server' };
  gateway = await buildTestGateway(
    () => ({
      one: independent(ehr, ehr.clients.key, images),
      two: independent(ehr, ehr.clients.public, images),
      'without-client': independent(ehr, undefined as unknown as object, images),
      embedded: { authorization: { type: 'embedded' }, images },
    }),
    { images: '/nowhere', patients: '/nowhere' },
    undefined,
    { port, now: () => Date.now() + ahead },
  );
});
afterAll(async () => {
  await gateway.close();
  await ehr.close();
});
beforeEach(() => {
  ehr.mode = 'up';
  ehr.hints = 'ignored';
  ehr.tokenAnswer = undefined;
  ehr.seen.length = 0;
});

const appOf = (tenant = 'one') => new App(`${gateway.baseUrl}/${tenant}/fhir`, 'viewer', APP);
const journey = () => new Journey(ehr.issuer, gateway.baseUrl);
const count = (line: string) => ehr.seen.filter((one) => one === line).length;

/** Returns the error that the app receives; expects nothing else that the app could use. */
function errorAt({ url }: Page): string | null {
  expect(url.startsWith(`${APP}?`), url).toBe(true);
  const received = new URL(url).searchParams;
  expect(received.get('state')).toBe('of-the-app');
  expect(received.has('code')).toBe(false);
  return received.get('error');
}

/** Signs a user in at the EHR, up to the moment when the EHR sends them back here. */
async function atCallback(account = USER, tenant = 'one') {
  const user = journey();
  const { id_token: hint } = await portal(ehr, user, account);
  const app = appOf(tenant);
  user.stopAt = '/oauth/ehr-callback';
  const { url } = await user.open(await app.url({ login_hint: hint! }));
  user.stopAt = undefined;
  expect(url).toContain(`/${tenant}/oauth/ehr-callback?code=`);
  return { user, app, callback: new URL(url) };
}

const changed = (url: URL, parameters: Record<string, string | undefined>): string => {
  const copy = new URL(url);
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) copy.searchParams.delete(name);
    else copy.searchParams.set(name, value);
  }
  return copy.href;
};

test('IA-28 the unchanged flow, which the attacks vary, ends with a token', async () => {
  const { user, app, callback } = await atCallback();
  const done = await allow(user, await user.open(callback.href));
  expect((await app.tokens(done.url))['patient']).toBe(DEMO_PATIENT);
});

describe('IA-28 a login_hint that is no id_token of this EHR is refused', () => {
  const claims = { sub: USER, aud: 'portal' };
  test.each<[string, () => string | Promise<string>]>([
    ['an e-mail address', () => 'ann@example.org'],
    ['of another issuer', () => ehr.sign({ ...claims, iss: 'https://other.example.org' })],
    ['signed by another key', () => ehr.sign(claims, { foreign: true })],
    ['unsigned', async () => `${btoa('{"alg":"none"}')}.${(await ehr.sign(claims)).split('.')[1]}.`],
    ['without a user', () => ehr.sign({ aud: 'portal' })],
    ['an access token', () => ehr.sign(claims, { typ: 'at+jwt' })],
    ['an access token, by its scopes', () => ehr.sign({ ...claims, scope: 'patient/*.rs' })],
    ['an access token that is for the EHR', () => ehr.sign({ ...claims, aud: ehr.fhirBaseUrl })],
    ['a refresh token', () => ehr.sign({ ...claims, token_use: 'refresh' })],
    ['a logout token', () => ehr.sign(claims, { typ: 'logout+jwt' })],
    ['a logout token, by its events', () => ehr.sign({ ...claims, events: {} })],
    ['an assertion of the EHR', () => ehr.sign({ ...claims, sub: ehr.issuer })],
    ['an assertion for the token endpoint', () => ehr.sign({ ...claims, aud: [`${ehr.issuer}/token`] })],
    ['an assertion by its type', () => ehr.sign(claims, { typ: 'client-authentication+jwt' })],
  ])('%s', async (_what, hint) => {
    const done = await journey().open(await appOf().url({ login_hint: await hint() }));
    expect(errorAt(done)).toBe('invalid_request');
    expect(count('GET /authorize')).toBe(0);
  });

  test('a hint with an unknown key, while the keys of the EHR cannot be read, does not affect other users', async () => {
    const user = journey();
    await portal(ehr, user, USER);
    const hint = await ehr.sign(claims);
    const open = async (by: Journey, login_hint: string) => by.open(await appOf().url({ login_hint }));
    expect((await open(user, hint)).html).toContain('Castellanos');
    ahead += 11_000;
    ehr.mode = 'keys-failing';
    const madeUp = await ehr.sign(claims, { foreign: true, kid: 'made-up' });
    expect(errorAt(await open(journey(), madeUp))).toBe('temporarily_unavailable');
    expect((await open(user, hint)).html).toContain('Castellanos');
    expect(count('GET /jwks')).toBeLessThanOrEqual(2);
  });

  test('an expired hint still names the user', async () => {
    const user = journey();
    await portal(ehr, user, USER);
    const then = Math.floor(Date.now() / 1000) - 7200;
    const hint = await ehr.sign({ ...claims, iat: then, exp: then + 600 });
    expect((await user.open(await appOf().url({ login_hint: hint }))).html).toContain('Castellanos');
  });

  test('access_denied where the EHR signs in another user than the hint names', async () => {
    const user = journey();
    await portal(ehr, user, OTHER_USER);
    const hint = await ehr.sign(claims);
    expect(errorAt(await user.open(await appOf().url({ login_hint: hint })))).toBe('access_denied');
  });

  test('access_denied where the EHR answers with another patient than the hint names', async () => {
    const user = journey();
    await portal(ehr, user, USER);
    const hint = await ehr.sign({ ...claims, patient: OTHER_PATIENT });
    expect(errorAt(await user.open(await appOf().url({ login_hint: hint })))).toBe('access_denied');
  });
});

describe('IA-28 the redirect back from the EHR', () => {
  test.each([
    ['user', { fhirUser: 'Practitioner/..', patient: DEMO_PATIENT }, 200],
    ['patient', { fhirUser: `Patient/${DEMO_PATIENT}`, patient: '..' }, 303],
  ])('a %s id that means the folder above is never read', async (_who, account, status) => {
    ehr.accounts.set('dots', account);
    const { user, callback } = await atCallback('dots');
    ehr.seen.length = 0;
    expect((await user.open(callback.href)).status).toBe(status);
    expect(ehr.seen.filter((line) => /^GET \/(fhir\/?)?$/.test(line))).toEqual([]);
    ehr.accounts.delete('dots');
  });

  test('an answer is used once: the second time it is 400, and no code is redeemed', async () => {
    const { user, callback } = await atCallback();
    expect((await user.open(callback.href)).html).toContain('Castellanos');
    const redeemed = count('POST /token');
    const again = await user.open(callback.href);
    expect(again.status).toBe(400);
    expect(again.html).toContain('This sign-in has ended');
    expect(count('POST /token')).toBe(redeemed);
  });

  test.each([
    ['missing', { state: undefined }],
    ['invented', { state: 'made-up' }],
  ])('state %s: 400', async (_what, change) => {
    const { user, callback } = await atCallback();
    expect((await user.open(changed(callback, change))).status).toBe(400);
  });

  test('in another browser it is 400 (fixation, login CSRF); the browser that began can still finish', async () => {
    const { user, app, callback } = await atCallback();
    const redeemed = count('POST /token');
    expect((await journey().open(callback.href)).status).toBe(400);
    const busy = await atCallback(OTHER_USER);
    expect((await busy.user.open(callback.href)).status).toBe(400);
    // The same at the address where that browser is in the middle of its own sign-in.
    const { headers } = await fetch(busy.callback, { redirect: 'manual' });
    const begun = new URL(headers.get('location')!, gateway.baseUrl);
    begun.search = callback.search;
    expect((await busy.user.open(begun.href)).status).toBe(400);
    expect(count('POST /token')).toBe(redeemed + 1); // the portal's
    const done = await allow(user, await user.open(callback.href));
    expect((await app.tokens(done.url))['patient']).toBe(DEMO_PATIENT);
  });

  test('the code of another user with an own state is refused by PKCE (code injection)', async () => {
    const attacker = await atCallback(OTHER_USER);
    const victim = await atCallback(USER);
    const injected = changed(attacker.callback, { code: victim.callback.searchParams.get('code')! });
    expect(errorAt(await attacker.user.open(injected))).toBe('server_error');
  });

  test.each([
    ['of another server', { iss: 'https://evil.example.org' }],
    ['missing, where the EHR promises to send it', { iss: undefined }],
  ])('iss %s: nothing is sent to any token endpoint (mix-up, RFC 9207)', async (_what, change) => {
    const { user, callback } = await atCallback();
    const redeemed = count('POST /token');
    expect(errorAt(await user.open(changed(callback, change)))).toBe('server_error');
    expect(count('POST /token')).toBe(redeemed);
  });

  test('an answer for one tenant is 400 at another', async () => {
    const { user, callback } = await atCallback();
    const elsewhere = callback.href.replace('/one/', '/two/');
    expect((await user.open(elsewhere)).status).toBe(400);
    expect((await user.open(callback.href.replace('/one/', '/embedded/'))).status).toBe(400);
  });

  test('an answer sent to a consent page gives no consent', async () => {
    const { user, callback } = await atCallback();
    const consent = await user.open(callback.href);
    const [, action] = /<form method="post" action="([^"]+)"/.exec(consent.html)!;
    const query = new URLSearchParams([
      ...callback.searchParams,
      ['step', 'allow'],
      ['scope', 'patient/*.rs'],
    ]);
    const forged = await user.open(`${gateway.baseUrl}${action}/returned?${query.toString()}`);
    expect(forged.status).toBe(400);
    expect(forged.url.startsWith(APP)).toBe(false);
  });

  test.each([
    ['access_denied', 'access_denied'],
    ['temporarily_unavailable', 'temporarily_unavailable'],
    ['login_required', 'login_required'],
    ['invalid_scope', 'server_error'],
    ['unauthorized_client', 'server_error'],
    ['"><script>', 'server_error'],
  ])('the error %s of the EHR reaches the app as %s', async (error, received) => {
    const user = journey();
    user.stopAt = '/authorize?';
    const app = appOf();
    await user.open(await app.url()).then(({ url }) => expect(url).toContain(`/one/oauth/authorize?`));
    user.stopAt = `${ehr.issuer}/authorize?`;
    const { url } = await user.open(await app.url());
    user.stopAt = undefined;
    const state = new URL(url).searchParams.get('state')!;
    const query = new URLSearchParams({ error, state, iss: ehr.issuer, error_description: '<b>no</b>' });
    const done = await user.open(`${gateway.baseUrl}/one/oauth/ehr-callback?${query.toString()}`);
    expect(errorAt(done)).toBe(received);
    expect(done.url).not.toContain('no%3C');
  });
});

describe('IA-28 the token response of the EHR is checked', () => {
  const idToken =
    (change: JWTPayload, options?: { foreign: boolean }) => async (body: Record<string, unknown>) => {
      const claims = decodeJwt(body['id_token'] as string);
      body['id_token'] = await ehr.sign({ ...claims, ...change }, options);
    };
  const past = Math.floor(Date.now() / 1000) - 3600;
  test.each<[string, (body: Record<string, unknown>) => void | Promise<void>]>([
    ['no id_token', (body) => void delete body['id_token']],
    ['an id_token of another sign-in (nonce)', idToken({ nonce: 'another' })],
    ['an id_token without nonce', idToken({ nonce: undefined })],
    ['an id_token for another client', idToken({ aud: 'portal' })],
    ['an id_token of another issuer', idToken({ iss: 'https://evil.example.org' })],
    ['an id_token that has expired', idToken({ exp: past })],
    ['an id_token signed by another key', idToken({}, { foreign: true })],
    ['no patient', (body) => void delete body['patient']],
    ['a patient that is not an id', (body) => void (body['patient'] = '../Patient/x')],
    ['a patient that its token does not cover', (body) => void (body['patient'] = OTHER_PATIENT)],
    ['no access token', (body) => void delete body['access_token']],
  ])('%s: server_error', async (_what, tamper) => {
    const { user, callback } = await atCallback();
    ehr.tokenAnswer = tamper;
    expect(errorAt(await user.open(callback.href))).toBe('server_error');
  });

  test('an answer for another user than the hint names: access_denied, and its token is revoked', async () => {
    const { user, callback } = await atCallback();
    let given = '';
    ehr.tokenAnswer = async (body) => {
      given = String(body['access_token']);
      await idToken({ sub: OTHER_USER })(body);
    };
    expect(errorAt(await user.open(callback.href))).toBe('access_denied');
    expect(given).not.toBe('');
    await expect.poll(() => ehr.provider.AccessToken.find(given)).toBeUndefined();
  });

  test('a fhirUser of another server is ignored', async () => {
    const { user, app, callback } = await atCallback();
    ehr.tokenAnswer = idToken({ fhirUser: 'https://other.example.org/fhir/Practitioner/demo-dr-okafor' });
    const consent = await user.open(callback.href);
    expect(consent.html).not.toContain('Okafor');
    const tokens = await app.tokens((await allow(user, consent)).url);
    expect(tokens['patient']).toBe(DEMO_PATIENT);
    expect(tokens['fhirUser']).toBeUndefined();
  });
});

describe('IA-28 an EHR that cannot be reached', () => {
  test.each(['down', 'failing'] as const)(
    '%s when the gateway redeems the code: temporarily_unavailable',
    async (mode) => {
      const { user, callback } = await atCallback();
      ehr.mode = mode;
      expect(errorAt(await user.open(callback.href))).toBe('temporarily_unavailable');
    },
  );

  test('down from the start: temporarily_unavailable', async () => {
    const port = await freePort();
    const nobody = { ...ehr, fhirBaseUrl: `http://127.0.0.1:${port}/fhir` };
    const images = { type: 'folder', path: '/nowhere', lookup: 'all-studies-on-server' };
    const own = await freePort();
    const other = await buildTestGateway(
      () => ({ dead: independent(nobody, ehr.clients.key, images) }),
      { images: '/nowhere', patients: '/nowhere' },
      undefined,
      { port: own },
    );
    try {
      const app = new App(`${other.baseUrl}/dead/fhir`, 'viewer', APP);
      const done = await new Journey(other.baseUrl).open(await app.url());
      expect(errorAt(done)).toBe('temporarily_unavailable');
    } finally {
      await other.close();
    }
  });

  test('a tenant without a client at its EHR: server_error', async () => {
    expect(errorAt(await journey().open(await appOf('without-client').url()))).toBe('server_error');
  });
});

describe('IA-28 a request of the app with', () => {
  test.each([
    ['an unregistered redirect URI', { redirect_uri: 'https://evil.example.org/' }],
    ['an extension of the registered redirect URI', { redirect_uri: `${APP}/more` }],
    ['an unknown client', { client_id: 'nobody' }],
  ])('%s: 400, and no redirect', async (_what, change) => {
    const page = await journey().open(await appOf().url(change));
    expect(page.status).toBe(400);
    expect(page.url.startsWith(gateway.baseUrl)).toBe(true);
    expect(count('GET /authorize')).toBe(0);
  });

  test.each([
    ['no PKCE', { code_challenge: '', code_challenge_method: '' }],
    ['plain PKCE', { code_challenge_method: 'plain' }],
    ['a foreign audience', { aud: 'https://evil.example.org/fhir' }],
    ['a foreign launch', { launch: 'x', scope: 'launch patient/*.rs' }],
  ])('%s: invalid_request', async (_what, change) => {
    expect(errorAt(await journey().open(await appOf().url(change)))).toBe('invalid_request');
  });

  test('prompt=none: login_required, because the user has to consent', async () => {
    expect(errorAt(await journey().open(await appOf().url({ prompt: 'none' })))).toBe('login_required');
  });

  test('Allow pressed twice leads to one code', async () => {
    const { user, app, callback } = await atCallback();
    const consent = await user.open(callback.href);
    const press = () => pressAllow(user, consent);
    const [first, second] = [await press(), await press()];
    expect([first.status, second.status]).toEqual([303, 303]);
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    const done = await user.open(new URL(second.headers.get('location')!, consent.url).href);
    expect((await app.tokens(done.url))['patient']).toBe(DEMO_PATIENT);
    expect((await press()).status).toBe(400);
  });

  test('a code redeemed twice: its tokens end', async () => {
    const { user, app, callback } = await atCallback();
    const done = await allow(user, await user.open(callback.href));
    const { access_token: token } = await app.tokens(done.url);
    await expect(app.tokens(done.url)).rejects.toThrow();
    const read = await fetch(`${gateway.baseUrl}/one/fhir/Patient/${DEMO_PATIENT}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(read.status).toBe(401);
  });

  test('an access token of the EHR: 401', async () => {
    const { access_token: theirs } = await portal(ehr, journey(), USER);
    const read = await fetch(`${gateway.baseUrl}/one/fhir/Patient/${DEMO_PATIENT}`, {
      headers: { authorization: `Bearer ${theirs}` },
    });
    expect(read.status).toBe(401);
  });
});
