/** In which order the page asks, with the whole gateway: the study in the address does not wait for its record. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startChromium } from '../../gateway/test/setup/chromium.ts';
import { startGateway, type GatewayProcess } from '../../gateway/test/setup/gateway.ts';
import { limitLine } from './setup/viewer-page.ts';

const PATIENT = '87a339d0-8cae-418e-89c7-8651e6aab3c6';

let gateway: GatewayProcess;
let browser: Browser;
/** Query that names a study of the patient; one that names its longest series too. */
let study: string;
let series: string;

beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway(), startChromium()]);
  // The archive is being indexed at first.
  const { resource } = await vi.waitUntil(
    async () => {
      const response = await fetch(`${gateway.url}/open/fhir/ImagingStudy?patient=${PATIENT}`);
      return ((await response.json()) as { entry?: { resource: Study }[] }).entry?.[0];
    },
    { timeout: 60_000, interval: 500 },
  );
  const { identifier, series: all } = resource;
  const longest = all.reduce((best, one) => (one.numberOfInstances > best.numberOfInstances ? one : best));
  study = `study=${identifier[0]!.value.replace('urn:oid:', '')}`;
  series = `${study}&series=${longest.uid}`;
}, 90_000);
afterAll(async () => {
  await browser?.close();
  await gateway?.stop();
});

interface Study {
  identifier: { value: string }[];
  series: { uid: string; numberOfInstances: number }[];
}

/** What a request asks for, in the words of this test. */
const KINDS: readonly [RegExp, string][] = [
  [/smart-configuration$/, 'sign-in configuration'],
  [/\/rendered\?/, 'picture'],
  [/\/graphql$/, 'record'],
  [/\/metadata$/, 'metadata'],
  [/\/assets\/engine-[\w-]+\.js$/, 'engine'],
  [/\/frames\/\d+$/, 'frame'],
];

/** Opens an address, and notes what is asked for. @param hold keeps the record from coming until it is called back */
async function opened(
  address: string,
  hold?: Promise<void>,
): Promise<{ page: Page; asked: string[]; urls: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  const asked: string[] = [];
  const urls: string[] = [];
  page.on('request', (request) => {
    const kind = KINDS.find(([pattern]) => pattern.test(request.url()))?.[1];
    if (kind) asked.push(kind);
    if (kind === 'frame' || kind === 'metadata') urls.push(request.url());
  });
  if (hold)
    await page.route('**/graphql', async (route) => {
      await hold;
      await route.continue();
    });
  await page.goto(`${gateway.url}/app/?${address}`);
  return { page, asked, urls };
}

test('the picture and the image in the address are there before the record; each is asked for once', async () => {
  let release = () => undefined as void;
  const held = new Promise<void>((resolve) => (release = resolve));
  const { page, asked, urls } = await opened(`tenant=open&patient=${PATIENT}&${series}`, held);
  await page.locator('canvas.foreseen').waitFor({ timeout: 20_000 });
  await expect.poll(() => asked.length).toBe(5);
  expect(asked.slice(0, 2).sort()).toEqual(['metadata', 'picture']);
  // On a busy machine the others do not wait for the picture.
  expect(asked.slice(2).sort()).toEqual(['engine', 'frame', 'record']);
  expect(await page.getByRole('heading', { name: 'Helen' }).count()).toBe(0);
  release();
  await page.getByText(/image \d+\/\d+/).waitFor({ timeout: 30_000 });
  await expect.poll(() => asked.length).toBeGreaterThan(5);
  // Metadata of the overlays come after the first picture.
  expect(asked.slice(5).filter((kind) => kind !== 'frame' && kind !== 'metadata')).toEqual([]);
  expect(new Set(urls).size).toBe(urls.length);
  await expect.poll(() => page.locator('.foreseen').count()).toBe(0);
  await page.close();
}, 90_000);

test('of a study without a series, the picture of the study comes first', async () => {
  const { page, asked } = await opened(`tenant=open&patient=${PATIENT}&${study}`);
  await page.getByText(/image \d+\/\d+/).waitFor({ timeout: 30_000 });
  expect(asked.slice(0, 3).sort()).toEqual(['engine', 'picture', 'record']);
  expect(asked).not.toContain('sign-in configuration');
  await page.close();
}, 90_000);

test('a link that names no patient: its picture comes first, and then the record of whose study it is', async () => {
  const { page, asked } = await opened(`tenant=open&${series}`);
  await page.getByRole('heading', { name: 'Helen Marie Castellanos' }).waitFor({ timeout: 30_000 });
  expect(asked.slice(0, 2).sort()).toEqual(['metadata', 'picture']);
  expect(page.url()).not.toContain(PATIENT);
  await page.close();
}, 90_000);

test('with a sign-in the picture is asked for with the token, at once after it', async () => {
  const { page, asked } = await opened(`tenant=demo&${series}`);
  await page.getByRole('button', { name: 'Helen Marie Castellanos' }).click();
  const picture = page.waitForRequest(/\/rendered\?/);
  await page.getByRole('button', { name: 'Allow' }).click();
  expect(await (await picture).headerValue('authorization')).toMatch(/^Bearer /);
  await page.getByText(/image \d+\/\d+/).waitFor({ timeout: 30_000 });
  expect(asked.slice(0, 2).sort()).toEqual(['metadata', 'picture']);
  expect(asked.slice(2, 5).sort()).toEqual(['engine', 'frame', 'record']);
  await page.close();
}, 90_000);

test.each([
  ['a slow line', 300_000, 'image/jphc'],
  ['a fast one', -1, 'application/octet-stream'],
])(
  'frames that are not compressed come over %s of %s bytes a second as %s',
  { timeout: 120_000 },
  async (_line, bytesPerSecond, type) => {
    const typeOfFrame = async () => {
      const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
      const frame = page.waitForResponse(/\/frames\/1$/, { timeout: 60_000 });
      await limitLine(page, bytesPerSecond);
      await page.goto(`${gateway.url}/app/?tenant=open&patient=${PATIENT}&${series}`, {
        waitUntil: 'commit',
      });
      const given = await (await frame).headerValue('content-type');
      await page.close();
      return given;
    };
    // On a busy machine a page may measure a fast line as a slow one.
    await expect.poll(typeOfFrame, { timeout: 110_000 }).toContain(`type="${type}"`);
  },
);

test('without a study in the address nothing is asked for before its record', async () => {
  const { page, asked } = await opened(`tenant=open&patient=${PATIENT}`);
  await page.getByText(/image \d+\/\d+/).waitFor({ timeout: 30_000 });
  expect(asked[0]).toBe('record');
  await page.close();
}, 90_000);
