/** SMART launches of the viewer in Chromium, with the authorization server of a real gateway. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { canvasOf, glassOf, openViewer, signInAs, signInAsClinician, signOut } from './setup/viewer-page.ts';
import { saveShot, ViewerSystem } from './setup/viewer-system.ts';

const system = new ViewerSystem({ timeout: 120_000, images: false });

/** Records the authorization requests of a page: their `prompt` and `launch`. */
function authorizationsOf(page: Page) {
  const seen: URLSearchParams[] = [];
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === '/demo/oauth/authorize') seen.push(searchParams);
  });
  return seen;
}

const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { name, level: 1 });
const lit = (page: Page) =>
  expect.poll(async () => (await canvasOf(page)).lit, { timeout: 30_000 }).toBeGreaterThan(0.05);

test('a reload comes back to the same picture without a question, again and again', async () => {
  const { page, errors } = await openViewer(system.browser, `${system.gateway.url}/app/`);
  await signInAs(page, 'Helen Marie Castellanos');
  await glassOf(page).waitFor({ timeout: 30_000 });
  await lit(page);
  await glassOf(page).press('Home');
  await glassOf(page).press('ArrowDown');
  await expect.poll(() => new URL(page.url()).searchParams.get('image')).toBe('2');
  // The address is where the user is; the label is of what is on the glass.
  await page
    .getByText(/image 2\/\d+/)
    .first()
    .waitFor({ timeout: 30_000 });
  await page.waitForTimeout(500);
  const before = { address: page.url(), ...(await canvasOf(page)) };
  const seen = authorizationsOf(page);
  for (let reload = 1; reload <= 2; reload++) {
    await page.reload();
    await heading(page, 'Helen Marie Castellanos').waitFor();
    await expect.poll(() => glassOf(page).getAttribute('aria-valuenow'), { timeout: 30_000 }).toBe('2');
    await expect.poll(async () => (await canvasOf(page)).sum, { timeout: 30_000 }).toBe(before.sum);
    expect(page.url()).toBe(before.address);
    expect(seen.map((query) => query.get('prompt'))).toEqual(Array<string>(reload).fill('none'));
  }
  expect(errors).toEqual([]);
  expect(JSON.stringify(await page.evaluate(() => [{ ...sessionStorage }, { ...localStorage }]))).not.toMatch(
    /token|Bearer|Castellanos/i,
  );
  await page.context().close();
}, 120_000);

test('after signing out, a reload waits, and the next sign-in asks who it is', async () => {
  const { page } = await openViewer(system.browser, `${system.gateway.url}/app/`);
  await signInAs(page, 'Samir Haddad');
  await heading(page, 'Samir Haddad').waitFor();
  const seen = authorizationsOf(page);
  // A sign-in that was left knows the patient too.
  const left = JSON.stringify({ returnTo: 'patient=demo-samir-haddad' });
  await page.evaluate((pending) => sessionStorage.setItem('smart-launch left', pending), left);
  await signOut(page);
  await page.getByText('You have signed out.').waitFor();
  expect(JSON.stringify(await page.evaluate(() => [history.state, { ...sessionStorage }]))).not.toMatch(
    /samir/,
  );
  await saveShot(page, 'signed-out-servers');
  await page.reload();
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect(seen.map((query) => query.get('prompt'))).toEqual([null]);
  // A silent request of this browser is refused too.
  const silent = new URL(`${system.gateway.url}/demo/oauth/authorize?${seen[0]}`);
  silent.searchParams.set('prompt', 'none');
  await page.goto(silent.href);
  await page.getByRole('alert').getByText('The server could not sign you in').waitFor();
  await page.context().close();
}, 60_000);

test('two tabs of a clinician with two patients: a reload does not change the patient by itself', async () => {
  const context = await system.browser.newContext({ viewport: { width: 1400, height: 900 } });
  const one = (await openViewer(context, `${system.gateway.url}/app/`)).page;
  await signInAsClinician(one, 'Samir Haddad');
  await heading(one, 'Samir Haddad').waitFor();
  const two = (await openViewer(context, `${system.gateway.url}/app/`)).page;
  await signInAsClinician(two, 'George Allen Whitfield');
  await heading(two, 'George Allen Whitfield').waitFor();
  await one.reload();
  await one.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect(await one.getByText('George Allen Whitfield').count()).toBeGreaterThan(0);
  await signInAsClinician(one, 'Samir Haddad');
  await heading(one, 'Samir Haddad').waitFor();
  await context.close();
}, 90_000);

/** Begins a launch as an EHR does. @returns the address of the viewer */
async function launchOf(patient: string): Promise<string> {
  const started = await fetch(`${system.gateway.url}/demo/oauth/launch`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ patient }),
  });
  const { launch } = (await started.json()) as { launch: string };
  const iss = encodeURIComponent(`${system.gateway.url}/demo/fhir`);
  return `${system.gateway.url}/app/?iss=${iss}&launch=${launch}`;
}

test('launch by an EHR: the patient of the launch is opened, and its id does not stay in the address', async () => {
  const { page, errors } = await openViewer(system.browser, await launchOf('demo-maria-alvarez'));
  await signInAsClinician(page);
  await heading(page, /Álvarez/).waitFor();
  await expect.poll(() => page.url()).toContain('tenant=demo');
  expect(page.url()).not.toMatch(/launch|iss|code|state|alvarez/);
  expect(errors).toEqual([]);
  await page.context().close();
}, 60_000);

test('a clinician chooses another patient in one press, without another sign-in; a reload keeps that one', async () => {
  const { page, errors } = await openViewer(system.browser, `${system.gateway.url}/app/`);
  await signInAsClinician(page, 'Samir Haddad');
  await heading(page, 'Samir Haddad').waitFor();
  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('menuitem', { name: 'Other patient' }).click();
  await page.getByRole('heading', { name: 'Choose a patient' }).waitFor();
  expect(JSON.stringify(await page.evaluate(() => ({ ...sessionStorage })))).not.toMatch(/samir/);
  await page.getByRole('button', { name: 'George Allen Whitfield' }).click();
  await page.getByRole('button', { name: 'Allow' }).click();
  await heading(page, 'George Allen Whitfield').waitFor();
  expect(await page.getByText('Samir').count()).toBe(0);
  await page.reload();
  await heading(page, 'George Allen Whitfield').waitFor();
  expect(errors).toEqual([]);
  await page.context().close();
}, 60_000);

test.each([
  ['the pages of a sign-in', () => `${system.gateway.url}/app/`, 'Samir Haddad'],
  ['a launch by an EHR', () => launchOf('demo-samir-haddad'), undefined],
])(
  'after %s, Back leaves the viewer in one press',
  async (_, addressOf, chosen) => {
    const before = `${system.gateway.url}/errors`;
    const { page, errors } = await openViewer(system.browser, before);
    await page.goto(await addressOf());
    await signInAsClinician(page, chosen);
    await heading(page, 'Samir Haddad').waitFor();
    expect(page.url()).not.toMatch(/samir|code|state|launch/);
    await page.goBack();
    await expect.poll(() => page.url()).toBe(before);
    expect(errors).toEqual([]);
    await page.context().close();
  },
  60_000,
);

test('Back from the pages of a sign-in does not begin another one', async () => {
  const before = `${system.gateway.url}/errors`;
  const { page } = await openViewer(system.browser, before);
  await page.goto(`${system.gateway.url}/app/?tenant=demo&study=1.2.3`);
  await page.getByRole('button', { name: 'Samir Haddad' }).click();
  await page.getByRole('heading', { name: 'Allow access?' }).waitFor();
  await page.goBack();
  await page.goBack();
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  expect(page.url()).toBe(`${system.gateway.url}/app/?tenant=demo&study=1.2.3`);
  await page.goBack();
  await expect.poll(() => page.url()).toBe(before);
  await page.context().close();
}, 60_000);

test('choosing another server goes to its address and begins there', async () => {
  const { page, errors } = await openViewer(
    system.browser,
    `${system.gateway.url}/app/?tenant=demo&signed-out=`,
  );
  await page.getByRole('button', { name: 'Add a server' }).click();
  await page.getByLabel('Name').fill('The open tenant');
  await page
    .getByLabel('FHIR address')
    .fill(`${system.gateway.url.replace('localhost', '127.0.0.1')}/open/fhir`);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: /The open tenant/ }).press('Enter');
  await page.getByRole('heading', { name: 'Whose images?' }).waitFor();
  await page.getByRole('button', { name: /Samir Haddad/ }).click();
  await heading(page, 'Samir Haddad').waitFor();
  expect(new URL(page.url()).searchParams.get('tenant')).toMatch(/^127\.0\.0\.1:\d+\/open\/fhir$/);
  expect(errors).toEqual([]);
  await page.context().close();
}, 60_000);
