/** OpenID Connect Core §3.1.2.1: `prompt=none` gives what this browser's user has consented to, and never more. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { set } from './test/requests.ts';
import { SmartApp, type Choices } from './test/smart-app.ts';
import { Browser, REDIRECT, startServer, ticked, type Started } from './test/started.ts';

const SCOPE = 'openid launch/patient patient/Observation.rs patient/Condition.rs online_access';
const clock = { ahead: 0 };
let started: Started;
beforeAll(async () => {
  started = await startServer({}, { now: () => Date.now() + clock.ahead });
});
afterAll(async () => {
  expect(started.errors).toEqual([]);
  await started.close();
});

/** A browser whose user has signed in and agreed. @returns the app of that sign-in, with its tokens */
async function consented(browser: Browser, choices: Choices = {}, client = 'public-app') {
  const app = new SmartApp(started, client);
  const tokens = await app.tokens({ scope: SCOPE, ...choices, browser });
  return { app, tokens };
}

/** Sends a silent request. @returns the answer at the app's redirect URI */
async function silent(
  browser: Browser,
  { app = new SmartApp(started), scope = SCOPE, ...more }: { app?: SmartApp; scope?: string } & Choices = {},
): Promise<URL> {
  const { url } = await browser.open(await app.url(scope, { prompt: 'none', ...more.parameters }));
  return new URL(url);
}

/** Begins a launch as an EHR does. @returns its id */
async function launchOf(patient: string): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ patient });
  const answer = await fetch(`${started.issuer}/launch`, { method: 'POST', headers, body });
  return ((await answer.json()) as { launch: string }).launch;
}

test('the same user, client and scopes: new tokens for the same patient, without a page', async () => {
  const browser = new Browser(started.issuer);
  const { tokens: before } = await consented(browser);
  const app = new SmartApp(started);
  const tokens = await app.exchange(await silent(browser, { app }));
  expect(tokens).toMatchObject({ patient: 'p1', need_patient_banner: true });
  expect(set(tokens.scope)).toEqual(set(before.scope));
  expect(await app.introspect(tokens.access_token)).toMatchObject({ active: true, patient: 'p1' });
  expect((await app.refresh(tokens.refresh_token!)).status).toBe(200);
  const again = new SmartApp(started);
  expect(await again.exchange(await silent(browser, { app: again }))).toMatchObject({ patient: 'p1' });
});

test('the patient whom a clinician chose is the same; fewer scopes give fewer', async () => {
  const browser = new Browser(started.issuer);
  await consented(browser, { account: 'Practitioner/d1', patient: 'p2' });
  const app = new SmartApp(started);
  const scope = 'launch/patient patient/Condition.rs';
  const tokens = await app.exchange(await silent(browser, { app, scope }));
  expect(tokens).toMatchObject({ patient: 'p2', scope });
});

test('a scope that the user unticked stays refused', async () => {
  const browser = new Browser(started.issuer);
  await consented(browser, { without: ['patient/Condition.rs'] });
  const app = new SmartApp(started);
  const { scope } = await app.exchange(await silent(browser, { app }));
  expect(set(scope)).toEqual(set('openid launch/patient patient/Observation.rs online_access'));
});

describe('is refused', () => {
  test.each<[string, (browser: Browser) => Promise<unknown>, Parameters<typeof silent>[1], string]>([
    ['nobody has signed in', async () => undefined, {}, 'login_required'],
    ['more scopes', consented, { scope: `${SCOPE} patient/ImagingStudy.rs` }, 'consent_required'],
    ['a wider scope', consented, { scope: SCOPE.replace('Condition', '*') }, 'consent_required'],
    ['a user scope', consented, { scope: `${SCOPE} user/Condition.rs` }, 'consent_required'],
    ['the name of the user', consented, { scope: `${SCOPE} fhirUser` }, 'consent_required'],
    [
      'another port of a loopback address',
      consented,
      { parameters: { redirect_uri: REDIRECT.replace(':9', ':51004') } },
      'consent_required',
    ],
    [
      'consents for two patients',
      async (browser) => {
        await consented(browser, { account: 'Practitioner/d1', patient: 'p1' });
        await consented(browser, { account: 'Practitioner/d1', patient: 'p2' });
      },
      {},
      'consent_required',
    ],
    [
      'signed out: the refresh token is revoked',
      async (browser) => {
        const { app, tokens } = await consented(browser);
        await app.revoke(tokens.refresh_token!);
      },
      {},
      'consent_required',
    ],
    [
      'signed out without a refresh token',
      async (browser) => {
        const { app, tokens } = await consented(browser, { scope: SCOPE.replace(' online_access', '') });
        await app.revoke(tokens.access_token);
      },
      { scope: SCOPE.replace(' online_access', '') },
      'consent_required',
    ],
    [
      'another user has signed in meanwhile, and not agreed',
      async (browser) => {
        await consented(browser);
        const app = new SmartApp(started);
        const page = await browser.open(await app.url(SCOPE));
        await browser.submit(page, [['account', 'Patient/p2']]);
      },
      {},
      'consent_required',
    ],
  ])('%s', async (_, before, request, error) => {
    const browser = new Browser(started.issuer);
    await before(browser);
    const answer = await silent(browser, request);
    expect(answer.searchParams.get('error')).toBe(error);
    expect(answer.searchParams.has('code')).toBe(false);
  });

  test('another client of the same user', async () => {
    const browser = new Browser(started.issuer);
    await consented(browser);
    const answer = await silent(browser, { app: new SmartApp(started, 'secret-app') });
    expect(answer.searchParams.get('error')).toBe('consent_required');
  });

  test('another browser', async () => {
    await consented(new Browser(started.issuer));
    const answer = await silent(new Browser(started.issuer));
    expect(answer.searchParams.get('error')).toBe('login_required');
  });

  test('a launch by an EHR, even of the same patient', async () => {
    const browser = new Browser(started.issuer);
    await consented(browser);
    const scope = SCOPE.replace('launch/patient', 'launch');
    await consented(browser, { scope, parameters: { launch: await launchOf('p1') } });
    const answer = await silent(browser, { scope, parameters: { launch: await launchOf('p1') } });
    expect(answer.searchParams.get('error')).toBe('consent_required');
  });

  test('a consent that is older than a session lasts, in a session that is still used', async () => {
    const browser = new Browser(started.issuer);
    await consented(browser);
    clock.ahead = 5 * 3_600_000;
    expect((await silent(browser)).searchParams.has('code')).toBe(true);
    clock.ahead = 8.1 * 3_600_000;
    const answer = await silent(browser);
    clock.ahead = 0;
    expect(answer.searchParams.get('error')).toBe('consent_required');
  });
});

describe('OpenID Connect Core §3.1.2.1 id_token_hint', () => {
  /** A clinician opens a record, and the app gives its access back. @returns the id_token */
  async function hintOf(browser: Browser): Promise<string> {
    const { app, tokens } = await consented(browser, { account: 'Practitioner/d1', patient: 'p1' });
    await app.revoke(tokens.refresh_token!);
    return tokens.id_token!;
  }

  test('the same user opens the record of another patient without a sign-in, after a consent', async () => {
    const browser = new Browser(started.issuer);
    const app = new SmartApp(started);
    const choice = await browser.open(await app.url(SCOPE, { id_token_hint: await hintOf(browser) }));
    expect(choice.html).toContain('Choose a patient');
    const consent = await browser.submit(choice, [['patient', 'p2']]);
    const boxes = ticked(consent).map((box): [string, string] => ['scope', box]);
    const { url } = await browser.submit(consent, [...boxes, ['step', 'allow']]);
    expect(await app.exchange(new URL(url))).toMatchObject({ patient: 'p2' });
    const again = new SmartApp(started);
    expect(await again.exchange(await silent(browser, { app: again }))).toMatchObject({ patient: 'p2' });
  });

  test.each<[string, (browser: Browser) => Promise<Browser>]>([
    ['another browser', async () => new Browser(started.issuer)],
    [
      'a browser where another user has signed in',
      async (browser) => {
        await consented(browser);
        return browser;
      },
    ],
  ])('%s asks who it is', async (_, other) => {
    const browser = new Browser(started.issuer);
    const hint = await hintOf(browser);
    const page = await (
      await other(browser)
    ).open(await new SmartApp(started).url(SCOPE, { id_token_hint: hint }));
    expect(page.html).toContain('name="account"');
  });

  test('of another user: the sign-in is not passed by resuming without it', async () => {
    const hint = await hintOf(new Browser(started.issuer));
    const browser = new Browser(started.issuer);
    await consented(browser);
    const page = await browser.open(await new SmartApp(started).url(SCOPE, { id_token_hint: hint }));
    const interaction = new URL(page.url).pathname.split('/').at(-1)!;
    const resumed = await browser.open(`${started.issuer}/authorize/${interaction}`);
    expect(resumed.html).toContain('name="account"');
  });

  test('one that is not of this server is refused', async () => {
    const browser = new Browser(started.issuer);
    const { url } = await browser.open(
      await new SmartApp(started).url(SCOPE, { id_token_hint: `${await hintOf(browser)}x` }),
    );
    expect(new URL(url).searchParams.get('error')).toBe('invalid_request');
  });
});

test('without prompt=none the pages are shown as before', async () => {
  const browser = new Browser(started.issuer);
  await consented(browser);
  const page = await browser.open(await new SmartApp(started).url(SCOPE));
  expect(page.html).toContain('name="account"');
});
