/** The viewer in Chromium with the whole gateway: sign-in, one GraphQL request, a visible image, scrolling. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { wholeLog } from '../../gateway/test/setup/child.ts';
import { longTest } from '../../gateway/test/setup/usual-run.ts';
import { canvasOf, entryOf } from './setup/viewer-page.ts';
import { saveShot, ViewerSystem } from './setup/viewer-system.ts';

const PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';

const system = new ViewerSystem({ timeout: 240_000 });

interface Opened {
  page: Page;
  /** Bodies of the page's GraphQL requests. */
  graphql: string[];
  errors: string[];
}

/** Opens a page in a browser context of its own and records its errors and GraphQL requests. */
async function openPage(path: string): Promise<Opened> {
  const page = await system.browser.newPage({ viewport: { width: 1400, height: 900 } });
  const graphql: string[] = [];
  const errors: string[] = [];
  page.on(
    'request',
    (request) => request.url().endsWith('/graphql') && graphql.push(request.postData() ?? ''),
  );
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await page.goto(`${system.gateway.url}${path}`);
  return { page, graphql, errors };
}

/** Opens a page of the tenant `demo` and signs in with two clicks: a person, and consent. */
async function openAs(person: string, path = '/app/?tenant=demo'): Promise<Opened> {
  const opened = await openPage(path);
  await opened.page.getByRole('button', { name: person }).click();
  await opened.page.getByRole('button', { name: 'Allow' }).click();
  await opened.page.waitForURL(/\/app\/\?tenant=demo&patient=/);
  return opened;
}

interface Film {
  /** Number and checksum of each image that was on the glass, as it appeared. */
  seen: { image: number; sum: number }[];
  /** From the first to the last. */
  seconds: number;
}

/** Watches a film: at each change of the number, the picture that belongs to it. */
function watchFilm(page: Page, milliseconds: number): Promise<Film> {
  return page.evaluate(async (time) => {
    const seen: { image: number; sum: number; at: number }[] = [];
    const copy = new OffscreenCanvas(64, 64).getContext('2d', { willReadFrequently: true })!;
    for (const begun = performance.now(); performance.now() - begun < time;) {
      await new Promise(requestAnimationFrame);
      const [, image] = /image (\d+)\//.exec(document.querySelector('.overlay')!.textContent!)!;
      if (seen.at(-1)?.image === Number(image)) continue;
      copy.drawImage(document.querySelector<HTMLCanvasElement>('.engine canvas')!, 0, 0, 64, 64);
      const sum = copy
        .getImageData(0, 0, 64, 64)
        .data.reduce((sum, value) => (sum * 31 + value) % 1_000_003, 0);
      seen.push({ image: Number(image), sum, at: performance.now() });
    }
    return { seen, seconds: (seen.at(-1)!.at - seen[0]!.at) / 1000 };
  }, milliseconds);
}

test('a patient opens with one GraphQL request; an image is visible, and the series scrolls', async () => {
  const { page, graphql, errors } = await openAs('Helen Marie Castellanos');
  expect(page.url()).toBe(`${system.gateway.url}/app/?tenant=demo&patient=${PATIENT}`);
  const slider = page.getByRole('slider', { name: 'Image; arrow keys scroll' });
  await slider.waitFor({ timeout: 30_000 });
  await expect.poll(async () => (await canvasOf(page)).lit, { timeout: 30_000 }).toBeGreaterThan(0.05);
  expect(graphql).toHaveLength(1);
  expect(await page.getByText('not for primary diagnosis').isVisible()).toBe(true);

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
  const { page, errors } = await openPage('/app/');
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

  await page.getByRole('button', { name: 'Sign out' }).click();
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
    const { page, graphql } = await openPage('/app/?tenant=demo&study=1.2.3');
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

test('a colour palette is applied: the echocardiogram is visible', async () => {
  const { page, errors } = await openAs('George Allen Whitfield');
  await entryOf(page, '20 Jan 2026').click();
  await expect.poll(async () => (await canvasOf(page)).lit, { timeout: 30_000 }).toBeGreaterThan(0.05);
  expect(errors).toEqual([]);
  await page.close();
}, 60_000);

test('a film plays: each picture has its number, and what a busy machine skips is said', async () => {
  const { page, errors } = await openAs('George Allen Whitfield');
  await entryOf(page, '20 Jan 2026').click();
  const bar = page.getByRole('group', { name: 'Film' });
  await bar.getByText('(true time)').waitFor({ timeout: 30_000 });
  const rate = parseFloat(await bar.innerText());
  await expect.poll(async () => (await canvasOf(page)).lit, { timeout: 30_000 }).toBeGreaterThan(0.05);
  // All its images are here.
  await page.waitForFunction(() => {
    const ring = document.querySelector('[role=option][aria-selected=true] svg[role=img]');
    const [ready, count] = ring?.getAttribute('aria-label')?.match(/\d+/g) ?? [];
    return ready !== undefined && ready === count;
  });
  await page.keyboard.press('k');
  const { seen, seconds } = await watchFilm(page, 3000);
  // Of each image there is one picture.
  const pictures = new Map(seen.map(({ image, sum }) => [image, sum]));
  expect(seen.filter(({ image, sum }) => pictures.get(image) !== sum)).toEqual([]);
  expect(new Set(pictures.values()).size).toBeGreaterThan(1);
  // A busy machine shows fewer images than the film has; then the bar says so.
  const reached = (seen.length - 1) / seconds;
  expect(reached).toBeLessThan(rate * 1.2);
  expect(reached > rate / 2 || (await bar.innerText()).includes('images are skipped')).toBe(true);
  await saveShot(page, 'film-plays');
  await page.keyboard.press('k');
  await page.waitForTimeout(300);
  const stopped = (await canvasOf(page)).sum;
  await page.waitForTimeout(300);
  expect((await canvasOf(page)).sum).toBe(stopped);
  expect(errors).toEqual([]);
  await page.close();
}, 90_000);

test('an EHR that is not in the list cannot open the page: it says what to do, and asks that server nothing', async () => {
  const { page, errors } = await openPage('/app/');
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).host));
  await page.goto(`${system.gateway.url}/app/?iss=${encodeURIComponent('https://ehr.example/r4')}&launch=1`);
  await page.getByRole('alert').getByText('If you trust https://ehr.example/r4').waitFor();
  expect(new Set(asked)).toEqual(new Set([new URL(system.gateway.url).host]));
  expect(errors).toEqual([]);
  await page.close();
}, 60_000);

longTest(
  'without a patient in the URL, the user chooses one from a list',
  async () => {
    const { page, errors } = await openPage('/app/?tenant=open');
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
  const { page } = await openPage('/app/?tenant=open&patient=nobody');
  await page.getByRole('alert').waitFor();
  await page.getByRole('button', { name: 'Try again' }).waitFor();
  await page.close();
}, 60_000);
