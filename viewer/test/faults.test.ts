/**
 * What a user sees of a fault, in Chromium with the real gateway behind a proxy that answers wrongly: one sentence, one thing
 * to do, no label that is of another image than the one on the glass, and the same page afterwards.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { startChromium } from '../../gateway/test/setup/chromium.ts';
import { freePort } from '../../gateway/test/setup/free-port.ts';
import { startGateway, type GatewayProcess } from '../../gateway/test/setup/gateway.ts';
import { startFaultProxy, type Fault, type FaultProxy } from './fault-proxy.ts';
import { canvasOf, glassOf, openViewer } from './setup/viewer-page.ts';

const HELEN = '87a339d0-8cae-418e-89c7-8651e6aab3c6';
const BUSY =
  'The image archive cannot answer now; the page tries again by itself. Clinical data are complete.';
const OFFLINE = 'There is no network connection. Nothing was lost; this goes on when it is back.';

let proxy: FaultProxy;
let gateway: GatewayProcess;
let port: string;
let browser: Browser;
/** Checksums of the first images as they are without a fault, by their number. */
const drawn = new Map<number, number>();

beforeAll(async () => {
  proxy = await startFaultProxy();
  port = String(await freePort());
  [gateway, browser] = await Promise.all([start(), startChromium()]);
  proxy.target = Number(port);
  const { page } = await open();
  await glassOf(page).press('Home');
  for (let image = 1; image <= 3; image++) {
    await isShown(page, image);
    await page.waitForTimeout(300);
    drawn.set(image, (await canvasOf(page)).sum);
    await glassOf(page).press('ArrowDown');
  }
  expect(new Set(drawn.values()).size).toBe(3);
  await page.context().close();
}, 180_000);
afterEach(() => void (proxy.fault = () => undefined));
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
  await proxy?.stop();
});

const start = () => startGateway({ BASE_URL: proxy.url, PORT: port, DIMSE_PORT: '0' });

/** Returns a fault for the requests whose path has a word. */
const on = (word: string, fault: Fault) => (about: { path: string }) =>
  about.path.includes(word) ? fault : undefined;

/** Opens the record of a patient, and waits for its image. */
async function open(query = `?tenant=open&patient=${HELEN}`, by: Browser | BrowserContext = browser) {
  const opened = await openViewer(by, `${proxy.url}/app/${query}`);
  await glassOf(opened.page).waitFor({ timeout: 60_000 });
  await vi.waitUntil(async () => (await canvasOf(opened.page)).lit > 0.05, {
    timeout: 60_000,
    interval: 100,
  });
  return opened;
}

/** Waits until an image is on the glass by its label, and looks whether it is that image. */
async function isShown(page: Page, image: number): Promise<void> {
  const wait = { timeout: 60_000, interval: 100 };
  const label = async () => (await glassOf(page).getAttribute('aria-valuetext')) ?? '';
  await vi.waitFor(async () => expect(await label()).toMatch(new RegExp(`^image ${image}/`)), wait);
  const expected = drawn.get(image);
  if (expected === undefined) return;
  await vi.waitFor(async () => expect((await canvasOf(page)).sum).toBe(expected), {
    ...wait,
    timeout: 10_000,
  });
}

/** Waits for the sentence. The glass then has no label, or that of the image that is there. */
async function says(page: Page, sentence: string, todo?: string): Promise<void> {
  const alert = page.getByRole('alert').filter({ hasText: sentence });
  await alert.first().waitFor({ timeout: 60_000 });
  if (todo !== undefined) await alert.getByRole('button', { name: todo }).waitFor();
}

/** Bytes that are no image, as a frame in JPEG 2000. */
const GARBAGE: Fault = {
  status: 200,
  headers: { 'content-type': 'multipart/related; type="image/jp2"; boundary=x' },
  body: `--x\r\nContent-Type: image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90\r\n\r\n${'no image '.repeat(50)}\r\n--x--\r\n`,
};
const busy: Fault = { status: 503, headers: { 'retry-after': '1' } };

test.each<[what: string, word: string, fault: Fault, says: string, todo: string, itself: boolean]>([
  ['a frame: 503 with Retry-After', '/frames/', busy, BUSY, 'Try again', true],
  ['metadata: 503 with Retry-After', '/metadata', busy, BUSY, 'Try again', true],
  [
    ...(['metadata: 500', '/metadata', { status: 500 }] as const),
    ...(['The image archive did not answer. Clinical data are complete.', 'Try again', false] as const),
  ],
  [
    ...(['a frame: 403', '/frames/', { status: 403 }] as const),
    ...(['You are not allowed to see these images. Clinical data are complete.', '', false] as const),
  ],
  [
    ...(['a frame of a wrong length', '/frames/', { cutAfter: 5_000, how: 'ends' }] as const),
    ...(['This image arrived damaged and is not shown.', 'Try again', false] as const),
  ],
  [
    ...(['a frame: the connection breaks', '/frames/', { cutAfter: 5_000, how: 'breaks' }] as const),
    ...([OFFLINE, 'Try again', true] as const),
  ],
  [
    ...(['a frame that is no image', '/frames/', GARBAGE] as const),
    ...(['This browser cannot decode this image.', "Show the server's picture", false] as const),
  ],
])(
  '%s',
  async (_, word, fault, sentence, todo, itself) => {
    proxy.fault = on(word, fault);
    const { page, errors } = await openViewer(
      browser,
      `${proxy.url}/app/?tenant=open&patient=${HELEN}&image=2`,
    );
    await says(page, sentence, todo || undefined);
    // Nothing is called by a number while nothing is on the glass.
    expect(await glassOf(page).getAttribute('aria-valuetext')).not.toMatch(/^image \d+\/\d+$/);
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe('Helen Marie Castellanos');
    proxy.fault = () => undefined;
    if (!itself) {
      const again = page.getByRole('alert').getByRole('button', { name: 'Try again' });
      if (todo === 'Try again') await again.first().click();
      else await page.reload();
    }
    await isShown(page, 2);
    await expect.poll(() => page.getByRole('alert').count()).toBe(0);
    expect(errors).toEqual([]);
    await page.context().close();
  },
  120_000,
);

test('GraphQL: 500 is not “no such patient”; a try again shows the record', async () => {
  proxy.fault = on('/graphql', { status: 500 });
  const { page } = await openViewer(browser, `${proxy.url}/app/?tenant=open&patient=${HELEN}`);
  await says(page, 'The record could not be read. Nothing was lost.', 'Try again');
  expect(await page.getByText('no such patient').count()).toBe(0);
  proxy.fault = () => undefined;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('heading', { name: 'Helen Marie Castellanos', level: 1 }).waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
  await page.context().close();
}, 60_000);

test('the network goes away in mid-scroll, and comes back', async () => {
  const { page, errors } = await open(`?tenant=open&patient=${HELEN}&image=3`);
  await isShown(page, 3);
  await page.context().setOffline(true);
  await glassOf(page).press('End');
  await says(page, OFFLINE);
  await glassOf(page).press('Home');
  await glassOf(page).press('ArrowDown');
  await page.context().setOffline(false);
  await isShown(page, 2);
  await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  expect(errors).toEqual([]);
  await page.context().close();
}, 90_000);

test('the gateway is killed in mid-scroll, and started again', async () => {
  const { page, errors } = await open(`?tenant=open&patient=${HELEN}&image=3`);
  await isShown(page, 3);
  process.kill(gateway.pid, 'SIGKILL');
  await gateway.stop();
  await glassOf(page).press('End');
  await says(page, OFFLINE, 'Try again');
  gateway = await start();
  const last = Number(await glassOf(page).getAttribute('aria-valuemax'));
  await isShown(page, last);
  await expect.poll(() => page.getByRole('alert').count()).toBe(0);
  await glassOf(page).press('Home');
  await isShown(page, 1);
  expect(errors).toEqual([]);
  await page.context().close();
}, 120_000);
