/** The app of docs/build-an-app.md, built from its folder and opened in Chromium: from registration to a frame. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { preview, type PreviewServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startChromium } from '../setup/chromium.ts';
import { freePort } from '../setup/free-port.ts';
import { startDemoGateway, type DemoGateway } from './demo-gateway.ts';

const root = join(import.meta.dirname, '../../..');
const sources = join(root, 'docs/sample-app');
const shots = join(root, 'dist/screenshots');
const require = createRequire(import.meta.url);
const HELEN = 'Helen Marie Castellanos';
const clock = { ahead: 0 };

let gateway: DemoGateway;
let built: string;
let site: PreviewServer;
let browser: Browser;
let address: string;
beforeAll(async () => {
  gateway = await startDemoGateway(undefined, () => Date.now() + clock.ahead);
  built = await mkdtemp(join(tmpdir(), 'sample-app-'));
  const vite = join(dirname(require.resolve('vite/package.json')), 'bin/vite.js');
  const environment = { ...process.env, NODE_ENV: 'production', VITE_TENANT: gateway.tenant };
  await promisify(execFile)(process.execPath, [vite, 'build', '--outDir', built], {
    cwd: sources,
    env: environment,
  });
  const port = await freePort();
  site = await preview({
    configFile: false,
    root: sources,
    build: { outDir: built },
    preview: { port, host: '127.0.0.1' },
  });
  address = `http://localhost:${port}/`;
  browser = await startChromium();
  await mkdir(shots, { recursive: true });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await site?.close();
  await gateway?.close();
  if (built) await rm(built, { recursive: true });
});

/** Opens the app in a context of its own, and signs in. @param decision on the page that asks for consent */
async function signedIn(decision: 'Allow' | 'Deny' = 'Allow'): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(address);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: HELEN }).click();
  await page.getByRole('button', { name: decision }).click();
  await page.waitForURL(address);
  return page;
}

const alertOf = (page: Page) => page.getByRole('alert').innerText();
const isLoaded = (image: Locator) =>
  image.evaluate((element: { naturalWidth?: number }) => element.naturalWidth ?? 0);

test('a person signs in, and sees the record, thumbnails and a frame in full', async () => {
  const page = await signedIn();
  await page.getByRole('heading', { name: HELEN }).waitFor();
  await page
    .getByText('RB6')
    .or(page.getByRole('heading', { name: 'CT' }))
    .first()
    .waitFor();
  const pictures = page.locator('button img');
  await expect.poll(() => pictures.count()).toBeGreaterThan(3);
  for (const picture of await pictures.all()) await expect.poll(() => isLoaded(picture)).toBeGreaterThan(60);
  await pictures.first().click();
  const frame = page.locator('figure img');
  await expect.poll(() => isLoaded(frame)).toBeGreaterThan(200);
  const grey = await sharp(await frame.screenshot())
    .greyscale()
    .raw()
    .toBuffer();
  expect(new Set(grey).size).toBeGreaterThan(50);
  await page.screenshot({ path: join(shots, 'sample-app.png'), fullPage: true });
  await page.close();
});
