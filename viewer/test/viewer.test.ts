/** The viewer in Chromium with the whole gateway: sign-in, one GraphQL request, a visible image, scrolling. */
import { expect, test } from 'vitest';
import { wholeLog } from '../../gateway/test/setup/child.ts';
import { longTest } from '../../gateway/test/setup/usual-run.ts';
import { canvasOf, signOut } from './setup/viewer-page.ts';
import { saveShot, ViewerSystem } from './setup/viewer-system.ts';

const system = new ViewerSystem({ timeout: 240_000 });

test('a patient opens with one GraphQL request; an image is visible, and the series scrolls', async () => {
  const { page, graphql, errors } = await system.openAs('Helen Marie Castellanos');
  expect(page.url()).toBe(`${system.gateway.url}/app/?tenant=demo`);
  const slider = page.getByRole('slider', { name: 'Image; arrow keys scroll' });
  await slider.waitFor({ timeout: 30_000 });
  await expect.poll(async () => (await canvasOf(page)).lit, { timeout: 30_000 }).toBeGreaterThan(0.05);
  expect(graphql).toHaveLength(1);
  expect(await page.getByText('Not for primary diagnosis').isVisible()).toBe(true);

  const before = { index: Number(await slider.getAttribute('aria-valuenow')), ...(await canvasOf(page)) };
  await slider.hover();
  await page.mouse.wheel(0, 100);
  await expect
    .poll(async () => Number(await slider.getAttribute('aria-valuenow')), { timeout: 10_000 })
    .not.toBe(before.index);
  await expect.poll(async () => (await canvasOf(page)).sum).not.toBe(before.sum);

  await slider.press('Home');
  await expect.poll(() => slider.getAttribute('aria-valuenow')).toBe('1');
  await slider.press('ArrowDown');
  await expect.poll(() => slider.getAttribute('aria-valuenow')).toBe('2');

  expect(graphql).toHaveLength(1);
  expect(errors).toEqual([]);
  await slider.press('PageDown');
  await expect.poll(() => slider.getAttribute('aria-valuenow')).toBe('12');
  await saveShot(page, 'patient');
  await page.close();
}, 120_000);

test('sign-in: the page lists the access; the keyboard is enough; signing out revokes the token', async () => {
  const { page, errors } = await system.openPage('/app/');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await saveShot(page, 'sign-in');
  await page.getByRole('button', { name: 'Samir Haddad' }).press('Enter');
  await page.getByRole('heading', { name: 'Allow access?' }).waitFor();
  const consent = await page.getByRole('main').innerText();
  for (const text of ['The viewer', 'Samir Haddad', 'See everything in the record']) {
    expect(consent).toContain(text);
  }
  await saveShot(page, 'consent');
  const graphqlRequest = page.waitForRequest(/\/demo\/graphql$/);
  await page.getByRole('button', { name: 'Allow' }).press('Enter');
  const authorization = (await (await graphqlRequest).headerValue('authorization'))!;
  expect(authorization).toMatch(/^Bearer ./);
  await page.getByRole('heading', { name: 'Samir Haddad' }).waitFor();
  const read = () =>
    fetch(`${system.gateway.url}/demo/fhir/Patient/demo-samir-haddad`, { headers: { authorization } });
  expect((await read()).status).toBe(200);

  await signOut(page);
  await page.getByText('You have signed out.').waitFor();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  expect((await read()).status).toBe(401);
  expect(errors).toEqual([]);
  expect(await wholeLog(system.gateway)).not.toContain(authorization.slice('Bearer '.length));
  await page.close();
}, 60_000);

longTest(
  'after Deny, the viewer says that access was not allowed, and waits',
  async () => {
    const { page, graphql } = await system.openPage('/app/?tenant=demo&study=1.2.3');
    await page.getByRole('button', { name: 'Helen Marie Castellanos' }).click();
    await page.getByRole('button', { name: 'Deny' }).click();
    await page.getByRole('alert').getByText('Access was not allowed').waitFor();
    expect(page.url()).toBe(`${system.gateway.url}/app/?tenant=demo&study=1.2.3`);
    await saveShot(page, 'denied');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    expect(graphql).toEqual([]);
    await page.close();
  },
  60_000,
);

test('an EHR that is not in the list cannot open the page: it says what to do, and asks that server nothing', async () => {
  const { page, errors } = await system.openPage('/app/');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).host));
  await page.goto(`${system.gateway.url}/app/?iss=${encodeURIComponent('https://ehr.example/r4')}&launch=1`);
  await page.getByRole('alert').getByText('ehr.example wants to open a record').waitFor();
  await page.reload();
  await page.getByRole('button', { name: 'Trust this server and go on' }).waitFor();
  expect(new Set(asked)).toEqual(new Set([new URL(system.gateway.url).host]));
  expect(errors).toEqual([]);
  await page.close();
}, 60_000);

longTest(
  'without a patient in the URL, the user chooses one from a list',
  async () => {
    const { page, errors } = await system.openPage('/app/?tenant=open');
    await page.getByRole('heading', { name: 'Whose images?' }).waitFor();
    const rows = page.getByRole('listitem').getByRole('button');
    await rows.first().waitFor();
    expect(await rows.count()).toBeGreaterThanOrEqual(5);
    const name = await rows.first().locator('strong').innerText();
    await rows.first().click();
    await page.getByRole('heading', { name, level: 1 }).waitFor();
    await page.getByRole('navigation', { name: 'Timeline' }).getByRole('button').first().waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Whose images?' }).waitFor();
    expect(errors).toEqual([]);
    await page.close();
  },
  60_000,
);

test('for an unknown patient, the page shows an error and a button to try again', async () => {
  const { page } = await system.openPage('/app/?tenant=open&patient=nobody');
  await page.getByRole('alert').waitFor();
  await page.getByRole('button', { name: 'Try again' }).waitFor();
  await page.close();
}, 60_000);
