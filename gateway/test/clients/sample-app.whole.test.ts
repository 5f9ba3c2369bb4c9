/** The app of docs/build-an-app.md, built from its folder and opened in Chromium: from registration to a frame. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { preview } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startChromium } from '../setup/chromium.ts';
import { freePort } from '../setup/free-port.ts';
import { buildTestGateway } from '../test-gateway.ts';
import { startDemoGateway, type DemoGateway } from './demo-gateway.ts';

const root = join(import.meta.dirname, '../../..');
const sources = join(root, 'docs/sample-app');
const shots = join(root, 'dist/screenshots');
const run = promisify(execFile);
const require = createRequire(import.meta.url);
const HELEN = 'Helen Marie Castellanos';
const clock = { ahead: 0 };

/** A name that only the browser of this test knows. */
const NETWORK_HOST = 'app.example';

let gateway: DemoGateway;
let browser: Browser;
let address: string;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  gateway = await startDemoGateway(undefined, () => Date.now() + clock.ahead);
  closing.push(() => gateway.close());
  address = await siteFor(`${gateway.tenant}/`);
  browser = await startChromium(`--host-resolver-rules=MAP ${NETWORK_HOST} 127.0.0.1`);
  closing.push(() => browser.close());
  await mkdir(shots, { recursive: true });
}, 120_000);
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

/** Builds and serves the app for a tenant. @returns the address of the page */
async function siteFor(tenant: string): Promise<string> {
  const built = await mkdtemp(join(tmpdir(), 'sample-app-'));
  closing.push(() => rm(built, { recursive: true }));
  const vite = join(dirname(require.resolve('vite/package.json')), 'bin/vite.js');
  const environment = { ...process.env, NODE_ENV: 'production', VITE_TENANT: tenant };
  await run(process.execPath, [vite, 'build', '--outDir', built], { cwd: sources, env: environment });
  const port = await freePort();
  const site = await preview({
    configFile: false,
    root: sources,
    build: { outDir: built },
    preview: { port, host: '127.0.0.1', allowedHosts: [NETWORK_HOST] },
  });
  closing.push(() => site.close());
  return `http://localhost:${port}/`;
}

/**
 * Opens the app in a context of its own, and signs in.
 * @param decision on the page that asks for consent
 * @param without resource that the person does not allow
 */
async function signedIn(decision: 'Allow' | 'Deny' = 'Allow', without?: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(address);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: HELEN }).click();
  if (without) await page.locator(`[name="scope"][value*="${without}"]`).uncheck();
  await page.getByRole('button', { name: decision }).click();
  await page.waitForURL(address);
  return page;
}

const thumbnails = (page: Page) => page.locator('.series img');
const widthOf = (image: Locator) => image.evaluate((element) => (element as HTMLImageElement).naturalWidth);

describe('the sample app', () => {
  test('shows the record, thumbnails and a frame in full', async () => {
    const page = await signedIn();
    const thumbnail = page.waitForRequest(/\/thumbnail$/);
    await page.getByRole('heading', { name: HELEN }).waitFor();
    await page.getByText('Right upper lobe nodule grown from 6 to 9 mm').waitFor();
    await expect.poll(() => thumbnails(page).count()).toBeGreaterThan(3);
    for (const picture of await thumbnails(page).all())
      await expect.poll(() => widthOf(picture)).toBeGreaterThan(60);
    await page.getByRole('button', { name: 'Soft tissue 1.5 mm' }).click();
    const frame = page.locator('figure img');
    await expect.poll(() => widthOf(frame)).toBe(512);
    const grey = await sharp(await frame.screenshot())
      .greyscale()
      .raw()
      .toBuffer();
    expect(new Set(grey).size).toBeGreaterThan(50);

    // Why an `<img>` needs a blob or a link, which works once.
    expect((await fetch((await thumbnail).url())).status).toBe(401);
    expect((await fetch((await frame.getAttribute('src'))!)).status).toBe(403);
    await page.close();
  });

  test('is readable on a phone and a desktop, in light and dark', async () => {
    const page = await signedIn();
    await thumbnails(page).nth(1).click();
    await expect.poll(() => widthOf(page.locator('figure img'))).toBe(512);
    await page.addScriptTag({ path: require.resolve('axe-core/axe.min.js') });
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [390, 1280]) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 844 });
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
        const { violations } = await page.evaluate<{ violations: { id: string }[] }>(
          `axe.run({ runOnly: ['wcag2a', 'wcag2aa'] })`,
        );
        expect(violations.map(({ id }) => id)).toEqual([]);
        const path = join(shots, `sample-app-${width}-${colorScheme}.png`);
        await page.screenshot({ path, fullPage: true });
      }
    }
    await page.close();
  });

  test('refreshes a token that has expired, once for all requests that wait', async () => {
    const page = await signedIn();
    await thumbnails(page).first().waitFor();
    const refreshes: Record<string, unknown>[] = [];
    page.on('response', async (response) => {
      const form = new URLSearchParams(response.request().postData() ?? '');
      if (form.get('grant_type') === 'refresh_token') refreshes.push(await response.json());
    });
    clock.ahead += 61 * 60_000;
    await page.evaluate(
      `Promise.all(Array.from(document.querySelectorAll('.series'), (series) => series.click()))`,
    );
    await page.locator('figure img').waitFor();
    await page.getByRole('button', { name: 'Reload' }).click();
    await expect.poll(() => refreshes.length).toBe(1);
    expect(refreshes[0]).toHaveProperty('access_token');
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
    await page.close();
  });
});

describe('the sample app says in plain words', () => {
  const alertOf = (page: Page) => page.getByRole('alert').first().innerText();

  test('that the person did not allow access', async () => {
    const page = await signedIn('Deny');
    await expect.poll(() => alertOf(page)).toBe('You did not allow access. Sign in to try again.');
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await page.close();
  });

  test('which part is missing, if the person allows the record without images', async () => {
    const page = await signedIn('Allow', 'ImagingStudy');
    await page.getByRole('heading', { name: HELEN }).waitFor();
    await expect.poll(() => alertOf(page)).toMatch(/^A part is missing. .*ImagingStudy/);
    expect(await page.getByText('Right upper lobe nodule').isVisible()).toBe(true);
    await page.close();
  });

  test('that the sign-in has ended, if it was revoked', async () => {
    const page = await signedIn();
    await page.getByRole('heading', { name: HELEN }).waitFor();
    const kept = await page.evaluate<string>('sessionStorage.getItem("kept")');
    const { client_id, refresh_token } = JSON.parse(kept) as Record<string, string>;
    const body = new URLSearchParams({ client_id: client_id!, token: refresh_token! });
    await fetch(`${gateway.tenant}/oauth/revoke`, { method: 'POST', body });
    clock.ahead += 61 * 60_000;
    await page.getByRole('button', { name: 'Reload' }).click();
    await expect.poll(() => alertOf(page)).toBe('Your sign-in has ended. Sign in again.');
    await page.close();
  });

  test('that the sign-in has ended, if the person allowed no refresh', async () => {
    const page = await signedIn('Allow', 'offline_access');
    await page.getByRole('heading', { name: HELEN }).waitFor();
    clock.ahead += 61 * 60_000;
    await page.getByRole('button', { name: 'Reload' }).click();
    await expect.poll(() => alertOf(page)).toBe('Your sign-in has ended. Sign in again.');
    await page.close();
  });

  test('that the server does not answer', async () => {
    const page = await signedIn();
    await page.getByRole('heading', { name: HELEN }).waitFor();
    await page.context().setOffline(true);
    await page.getByRole('button', { name: 'Reload' }).click();
    await expect
      .poll(() => alertOf(page))
      .toBe(`The server does not answer. Is it running at ${gateway.tenant}?`);
    await page.close();
  });
});

describe('the sample app says before a sign-in', () => {
  async function refused(at: string): Promise<string> {
    const page = await browser.newPage();
    await page.goto(at);
    await page.getByRole('button', { name: 'Sign in' }).click();
    const text = await page.getByRole('alert').innerText();
    await page.close();
    return text;
  }

  test('that a tenant registers no apps', async () => {
    const open = await buildTestGateway(
      ({ images, patients }) => ({
        open: {
          authorization: { type: 'mock', disableAuthzChecks: true },
          clinical: { type: 'store', path: patients },
          images: { type: 'folder', path: images, lookup: 'studies-by-mrn' },
        },
      }),
      undefined,
      undefined,
      { port: await freePort() },
    );
    closing.push(() => open.close());
    const text = await refused(await siteFor(`${open.baseUrl}/open`));
    expect(text).toBe(`Apps register at …/demo, not at ${open.baseUrl}/open.`);
  });

  test('that its page has to be at localhost or of https', async () => {
    const text = await refused(address.replace('localhost', NETWORK_HOST));
    expect(text).toMatch(/^Open this page at localhost or by https/);
  });
});
